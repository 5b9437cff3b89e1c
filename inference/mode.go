package inference

import "fmt"

// Mode is how a picture is searched for faces.
type Mode string

// The modes; their cost and what they find is in models/README.md.
const (
	// Short uses a detector for faces within arm's reach of the camera or a
	// little more. It is the cheapest.
	Short Mode = "short"
	// Full uses the full-range detector on the whole picture.
	Full Mode = "full"
	// Tiled also uses the full-range detector on parts of the picture, one
	// after the other, and so finds small faces in large pictures.
	Tiled Mode = "tiled"
)

// With is the same pack, to be used in a mode; LoadPack's is Full. A pack without a short-range detector is refused Short.
func (p *Pack) With(mode Mode) (*Pack, error) {
	with := *p
	with.mode = mode
	switch mode {
	case Full, Tiled:
	case Short:
		if p.Models.DetectorShort == nil {
			return nil, fmt.Errorf("the model pack %s in %s has no short-range detector: set `detector` to full, or `models` to a pack that has one", p.ID, p.Dir)
		}
		with.Models.Detector, with.Pipeline.Detector = *p.Models.DetectorShort, *p.Manifest.Pipeline.DetectorShort
	default:
		return nil, fmt.Errorf("unknown detector mode %q: use short, full or tiled", mode)
	}
	return &with, nil
}
