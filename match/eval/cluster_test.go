package eval

import "testing"

func TestClusteringCountsWhoIsMixedUpAndWhoIsSplit(t *testing.T) {
	blurred := crowd(3, 2, 0)
	for i := range blurred {
		blurred[i].Quality = 0.5
	}
	worse := blurred[0]
	worse.Quality = 0.1
	for _, c := range []struct {
		name      string
		samples   []Sample
		threshold float32
		want      Clustering
	}{
		{"everybody is one", crowd(4, 3, 0), 0.5, Clustering{Photos: 12, People: 4, Several: 4, Purity: 1, Strangers: 4}},
		{"two look like the next", crowd(4, 3, 2), 0.5, Clustering{Photos: 12, People: 4, Several: 4, Purity: 10. / 12, Split: 0.5, Strangers: 4}},
		{"all are alike", crowd(4, 3, 0), -1, Clustering{Photos: 12, People: 4, Several: 4, Purity: 3. / 12, Strangers: 1}},
		{"nobody is", crowd(2, 2, 0), 1.5, Clustering{Photos: 4, People: 2, Several: 2, Purity: 1, Split: 1, Strangers: 4}},
		{"some are blurred", append(blurred, worse), 0.5, Clustering{Photos: 6, People: 3, Several: 3, Purity: 1, Strangers: 3}},
	} {
		quality := float32(0)
		if c.name == "some are blurred" {
			quality = 0.3
		}
		c.want.Threshold = c.threshold
		got, err := Cluster(c.samples, quality, c.threshold)
		near := func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }
		if err != nil || !near(got.Purity, c.want.Purity) || !near(got.Split, c.want.Split) || !near(got.Strangers, c.want.Strangers) {
			t.Errorf("%s: %+v, %v\nwant %+v", c.name, got, err, c.want)
		}
		got.Purity, got.Split, got.Strangers = c.want.Purity, c.want.Split, c.want.Strangers
		if got != c.want {
			t.Errorf("%s: %+v\nwant %+v", c.name, got, c.want)
		}
	}
	if _, err := Cluster(crowd(3, 1, 0), 0, 0.5); err == nil || err.Error() != "3 photos show nobody twice" {
		t.Errorf("error %v", err)
	}
}
