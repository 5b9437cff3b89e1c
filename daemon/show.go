package daemon

import (
	"image"

	"facerecd/capture"
	"facerecd/daemon/event"
	"facerecd/daemon/live"
	"facerecd/daemon/track"
	"facerecd/inference"
)

// show offers a frame, and the tracks that were found in it, to those who
// watch. view is the frame upright.
func (p *Pipeline) show(f *capture.Frame, view inference.View, tracks []*track.Track) {
	p.portray(view, tracks)
	if !p.Live.Wanted(f.At) {
		return
	}
	frame := live.Frame{At: f.At, View: view, Faces: make([]live.Face, 0, len(tracks))}
	if f.Format == capture.JPEG && p.Turner.Turn == (inference.Turn{}) {
		frame.JPEG = f.Data
	}
	for _, tr := range tracks {
		box := tr.Box.Pixels(view.Width, view.Height)
		face := live.Face{Box: image.Rect(box[0], box[1], box[0]+box[2], box[1]+box[3])}
		switch tr.Announced {
		case event.Recognized:
			// Whose name is gone was deleted this moment.
			if name, ok := p.Names(tr.Person); ok {
				face.State, face.Name, face.Score = live.Known, name, tr.Score
			}
		case event.Unknown:
			face.State = live.Unknown
		}
		frame.Faces = append(frame.Faces, face)
	}
	p.Live.Show(frame)
}

// Size is the width and height of the last frame, as turned; 0 before the
// first. From any goroutine.
func (p *Pipeline) Size() (width, height int) {
	if size := p.size.Load(); size != nil {
		return size[0], size[1]
	}
	return 0, 0
}

// resize notes the size of the frames. It allocates when that changes only.
func (p *Pipeline) resize(width, height int) {
	if size := [...]int{width, height}; size != p.frame {
		p.frame = size
		p.size.Store(&[2]int{width, height})
	}
}
