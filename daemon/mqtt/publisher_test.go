package mqtt

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"
)

func TestTopics(t *testing.T) {
	for got, want := range map[string]string{
		topics.Availability():                  "facerecd/pi-door/availability",
		topics.Event("back-door"):              "facerecd/pi-door/back-door/event",
		topics.Present("door"):                 "facerecd/pi-door/door/present",
		topics.Status("door"):                  "facerecd/pi-door/door/status",
		Topics{"home/cams", "pi"}.Event("one"): "home/cams/pi/one/event",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestPresentJSONIsTheContract(t *testing.T) {
	at := time.Date(2026, 11, 24, 13, 0, 0, 5_600_000, time.FixedZone("CET", 3600))
	for want, p := range map[string]Present{
		`{"v":1,"time":"2026-11-24T12:00:00.005Z","camera":"door","people":[],"unknown":0}`: {Time: at, Camera: "door"},
		`{"v":1,"time":"2026-11-24T12:00:00.005Z","camera":"door","people":[{"id":"P1","name":"Ana","track":"7","since":"2026-11-24T11:59:59.005Z"}],"unknown":2}`: {
			Time: at, Camera: "door", People: []Visible{{"P1", "Ana", "7", at.Add(-time.Second)}}, Unknown: 2,
		},
	} {
		if got, err := json.Marshal(p); err != nil || string(got) != want {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
	}
}

func TestCameraStatusJSONIsTheContract(t *testing.T) {
	at := time.Date(2026, 11, 24, 13, 0, 0, 5_600_000, time.FixedZone("CET", 3600))
	for want, s := range map[string]CameraStatus{
		`{"v":1,"time":"2026-11-24T12:00:00.005Z","camera":"door","state":"streaming","code":"","hint":"","since":"2026-11-24T11:59:59.005Z"}`: {
			Time: at, Camera: "door", State: "streaming", Since: at.Add(-time.Second),
		},
		`{"v":1,"time":"2026-11-24T12:00:00.005Z","camera":"Haustür","state":"failed","code":"unplugged","hint":"plug it in","since":"2026-11-24T12:00:00.005Z"}`: {
			Time: at, Camera: "Haustür", State: "failed", Code: "unplugged", Hint: "plug it in", Since: at,
		},
	} {
		if got, err := json.Marshal(s); err != nil || string(got) != want {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
	}
}

func TestMistakesInTheConfigurationAreSaidAtOnce(t *testing.T) {
	const notAddress = "mqtt.broker is no address of a broker: write tcp://host:1883, tls://host:8883, or ws://host/path"
	for _, tc := range []struct {
		change func(*Publisher)
		want   string
	}{
		{func(p *Publisher) { p.Broker = "" }, notAddress},
		{func(p *Publisher) { p.Broker = "localhost:1883" }, notAddress},
		{func(p *Publisher) { p.Broker = "http://host" }, notAddress},
		{func(p *Publisher) { p.Broker = "tcp://:1883" }, notAddress},
		{func(p *Publisher) { p.Broker = "tcp://pi:se cret@host:x" }, notAddress},
		{
			func(p *Publisher) { p.Broker = "tcp://pi:secret@host" },
			"mqtt.broker has a user name in it: use mqtt.username and mqtt.password_file, so that the password is in no log",
		},
		{
			func(p *Publisher) { p.PasswordFile = "x" },
			"mqtt.password_file is set without mqtt.username: MQTT knows no password without a user name",
		},
		{
			func(p *Publisher) { p.Topics.Base = "a/#" },
			`mqtt.base "a/#" cannot be part of an MQTT topic: use letters, digits and hyphens`,
		},
		{
			func(p *Publisher) { p.Topics.Device = "" },
			`device "" cannot be part of an MQTT topic: use letters, digits and hyphens`,
		},
	} {
		p := &Publisher{Broker: "tcp://host", ClientID: "c", Topics: topics}
		tc.change(p)
		if err := p.Run(t.Context()); err == nil || err.Error() != tc.want {
			t.Errorf("error %q\n want %q", err, tc.want)
		}
	}
}

func TestTheBrokersPortMayBeLeftOut(t *testing.T) {
	for broker, want := range map[string]string{
		"tcp://host": "host:1883", "mqtt://host": "host:1883", "tls://host": "host:8883", "mqtts://[::1]": "[::1]:8883",
		"ssl://host:1": "host:1", "ws://host/mqtt": "host:80", "wss://host/mqtt": "host:443", "ws://host:9001": "host:9001",
	} {
		u, err := (&Publisher{Broker: broker, ClientID: "c", Topics: topics}).check()
		if err != nil || u.Host != want {
			t.Errorf("%s: %v, %v", broker, u, err)
		}
	}
}

func TestBackoffDoublesUpToItsMaximumWithJitter(t *testing.T) {
	b := backoff{min: 100 * time.Millisecond, max: time.Second}
	var last time.Duration
	distinct := map[time.Duration]bool{}
	for range 2 {
		for _, most := range []time.Duration{100, 200, 400, 800, 1000, 1000, 1000} {
			most *= time.Millisecond
			last = b.duration()
			distinct[last] = true
			if last < most/2 || last > most {
				t.Errorf("%v, want %v to %v", last, most/2, most)
			}
		}
		b.reset()
	}
	if len(distinct) < 3 {
		t.Errorf("no jitter: %v", distinct)
	}
}

func TestBackoffEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backoff{min: time.Hour, max: time.Hour}
		began := time.Now()
		beats := 0
		b.wait(t.Context(), func() { beats++ })
		took := time.Since(began)
		if took < 30*time.Minute || took > time.Hour {
			t.Errorf("waited %v", took)
		}
		if seconds := int(took.Seconds()); beats < seconds-1 || beats > seconds {
			t.Errorf("%d beats in %v", beats, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began = time.Now()
		b.wait(ctx, func() {})
		if took := time.Since(began); took != time.Minute {
			t.Errorf("waited %v after the end of its context", took-time.Minute)
		}
	})
}
