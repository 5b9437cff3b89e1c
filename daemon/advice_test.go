package daemon

import (
	"slices"
	"testing"

	"facerecd/daemon/api"
	"facerecd/inference"
)

func TestSuggestionsAreOfWhatIsMissing(t *testing.T) {
	photo := func(yaw, brightness float32) inference.Quality {
		return inference.Quality{Yaw: yaw, Brightness: brightness}
	}
	for _, tt := range []struct {
		name      string
		photos    []inference.Quality
		templates int
		want      []string
	}{
		{"none", nil, 0, nil},
		{"one from the front", []inference.Quality{photo(0.1, 120)}, 1, []string{api.SuggestLeft, api.SuggestRight, api.SuggestMore}},
		{"one to the left, in the dusk", []inference.Quality{photo(0.2, 60)}, 1, []string{api.SuggestFront, api.SuggestLight, api.SuggestRight, api.SuggestMore}},
		{"both sides", []inference.Quality{photo(0.2, 120), photo(-0.2, 60)}, 2, []string{api.SuggestFront, api.SuggestMore}},
		{"all there is", []inference.Quality{photo(0.2, 120), photo(-0.2, 60), photo(0, 60)}, 3, nil},
		{"one more of many", []inference.Quality{photo(0, 60)}, enough, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, s := range suggest(tt.photos, tt.templates) {
				got = append(got, s.Code)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
