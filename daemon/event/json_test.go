package event

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

func sample(t Type) Event {
	return Event{
		V: 1, ID: "01JDFK9Z3M0000000000000000", Type: t,
		Time:   time.Date(2026, 11, 24, 10, 57, 3, 120_999_999, time.FixedZone("CET", 3600)),
		Device: "pi-door", Camera: "door", Track: "7",
		Box: [4]int{412, 96, 188, 188}, Frame: [2]int{1280, 720}, Quality: 0.83, SeenForMS: 1400,
		Seq: 4711, Boot: "7c1f0a52", ClockSynced: true, Decided: time.Now(),
	}
}

func TestEventJSONIsTheContract(t *testing.T) {
	ana := &Person{ID: "01JDFK000000000000000000AN", Name: "Ana <Ñ>"}
	recognized, left, broken := sample(Recognized), sample(Left), sample(Unknown)
	recognized.Person, recognized.Score, recognized.Confidence = ana, 0.731, 0.9987
	left.Person = ana
	left.Time = left.Time.Truncate(time.Second) // the decimals stay
	broken.Score, broken.Confidence, broken.Quality = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
	const (
		head = `{"v":1,"id":"01JDFK9Z3M0000000000000000",`
		who  = `"person":{"id":"01JDFK000000000000000000AN","name":"Ana \u003cÑ\u003e"},`
		tail = `"box":[412,96,188,188],"frame":[1280,720],"quality":0.83,"seen_for_ms":1400,"seq":4711,"boot":"7c1f0a52","clock_synced":true,"stranger":null,"zone":null}`
	)
	for name, tc := range map[string]struct {
		event Event
		want  string
	}{
		"recognized": {recognized, head + `"type":"recognized","time":"2026-11-24T09:57:03.120Z","device":"pi-door","camera":"door","track":"7",` + who + `"score":0.731,"confidence":0.9987,` + tail},
		"unknown":    {sample(Unknown), head + `"type":"unknown","time":"2026-11-24T09:57:03.120Z","device":"pi-door","camera":"door","track":"7","person":null,"score":0,"confidence":0,` + tail},
		"left":       {left, head + `"type":"left","time":"2026-11-24T09:57:03.000Z","device":"pi-door","camera":"door","track":"7",` + who + `"score":0,"confidence":0,` + tail},
		"not a number": {
			broken, head + `"type":"unknown","time":"2026-11-24T09:57:03.120Z","device":"pi-door","camera":"door","track":"7","person":null,"score":0,"confidence":0,` +
				`"box":[412,96,188,188],"frame":[1280,720],"quality":0,"seen_for_ms":1400,"seq":4711,"boot":"7c1f0a52","clock_synced":true,"stranger":null,"zone":null}`,
		},
	} {
		got, err := json.Marshal(tc.event)
		if err != nil || string(got) != tc.want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, tc.want)
		}
		var back Event
		if err := json.Unmarshal(got, &back); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if again, _ := json.Marshal(back); string(again) != tc.want {
			t.Errorf("%s read and written again: %s", name, again)
		}
	}
}

func TestRedactTakesOnlyThePersonOut(t *testing.T) {
	e := sample(Recognized)
	e.Person, e.Score, e.Confidence = &Person{"P1", "Ana"}, 0.7, 0.9
	payload, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Redact(payload)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := json.Marshal(sample(Recognized))
	if string(got) != string(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := Redact([]byte("{")); err == nil || err.Error() != "decode stored event: unexpected end of JSON input" {
		t.Errorf("error %v", err)
	}
}
