package daemon

import (
	"encoding/json"
	"fmt"
	"image/jpeg"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"facerecd/daemon/config"
	"facerecd/daemon/mqtt/schema"
)

// ear hears everything on a broker, and checks each payload against the
// contract.
type ear struct {
	client paho.Client

	mu       sync.Mutex
	messages []paho.Message
	times    []time.Time // when they came
	wrong    []string
}

func listen(t *testing.T, addr string) *ear {
	t.Helper()
	e := &ear{}
	e.client = paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + addr).SetAutoReconnect(false))
	for _, do := range []func() paho.Token{
		e.client.Connect,
		func() paho.Token {
			return e.client.Subscribe("#", 1, func(_ paho.Client, m paho.Message) { e.hear(m) })
		},
	} {
		if token := do(); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatalf("listener: %v", token.Error())
		}
	}
	t.Cleanup(func() {
		if e.client.IsConnected() {
			e.client.Disconnect(250)
		}
		for _, w := range e.wrong {
			t.Error(w)
		}
	})
	return e
}

func (e *ear) hear(m paho.Message) {
	err := contract(m)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.messages, e.times = append(e.messages, m), append(e.times, time.Now())
	if err != "" {
		e.wrong = append(e.wrong, m.Topic()+": "+err)
	}
}

// contract says what is wrong with a message.
func contract(m paho.Message) string {
	topic, ours := strings.CutPrefix(m.Topic(), "facerecd/pi/")
	text := string(m.Payload())
	if !ours || text == "" || strings.HasPrefix(topic, "command/") {
		return ""
	}
	last := topic[strings.LastIndexByte(topic, '/')+1:]
	var kind schema.Kind
	switch {
	case strings.HasPrefix(topic, "person/"):
		kind = schema.Person
	case strings.HasPrefix(topic, "reply/"):
		kind = schema.Reply
	case topic == "availability":
		if text != "online" && text != "offline" {
			return text
		}
		return ""
	case last == "recognition":
		if text != "on" && text != "off" {
			return text
		}
		return ""
	case last == "face":
		if m.Qos() != 0 || m.Retained() || !strings.HasPrefix(text, "\xFF\xD8") {
			return "no JPEG, retained, or QoS 1"
		}
		return ""
	default:
		kind = schema.Kind(last)
	}
	if !slices.Contains(schema.Kinds(), kind) {
		return "no topic of the contract"
	}
	if m.Qos() != 1 {
		return "not QoS 1"
	}
	if err := schema.Check(kind, m.Payload()); err != nil {
		return err.Error() + "\n" + text
	}
	return ""
}

// last is the newest payload on a topic, "" when there is none.
func (e *ear) last(topic string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range slices.Backward(e.messages) {
		if m.Topic() == topic {
			return string(m.Payload())
		}
	}
	return ""
}

func (e *ear) count(topic string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.messages {
		if m.Topic() == topic {
			n++
		}
	}
	return n
}

// heard is every topic that has anything, as the broker has it last.
func (e *ear) heard() map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make(map[string]string)
	for _, m := range e.messages {
		all[m.Topic()] = string(m.Payload())
	}
	return all
}

func (e *ear) say(t *testing.T, topic string, retained bool, payload string) {
	t.Helper()
	if token := e.client.Publish(topic, 1, retained, payload); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
}

const (
	configTopic = "homeassistant/device/facerecd_pi/config"
	anaTopic    = "facerecd/pi/person/ana"
)

// components are those that a discovery payload adds, without those that it
// removes.
func components(t *testing.T, payload string) (added, removed []string) {
	t.Helper()
	var m struct {
		Components map[string]struct {
			ID string `json:"uniq_id"`
		} `json:"cmps"`
	}
	if err := json.Unmarshal([]byte(payload), &m); err != nil {
		t.Fatalf("discovery %q: %v", payload, err)
	}
	for name, c := range m.Components {
		if c.ID == "" {
			removed = append(removed, name)
		} else {
			added = append(added, name)
		}
	}
	slices.Sort(added)
	slices.Sort(removed)
	return added, removed
}

// state is what a person topic says.
type state struct {
	Person struct {
		ID, Name string
	}
	Present    bool
	Cameras    []string
	Camera     string
	LastSeen   time.Time `json:"last_seen"`
	Confidence float64
	Event      string
}

func (e *ear) state(t *testing.T, topic string) (s state) {
	t.Helper()
	if text := e.last(topic); text != "" {
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// besideMosquitto is a broker that runs, the settings of a daemon that uses it
// and sees Barack Obama, and what comes.
func besideMosquitto(t *testing.T) (*mosquitto, config.Config, *ear) {
	t.Helper()
	m := newMosquitto(t)
	m.start(t)
	c := settings(t, photo(t, "obama"))
	c.MQTT.Broker = "tcp://" + m.addr
	return m, c, listen(t, m.addr)
}

func TestHomeAssistantIsToldAtEachConnectionAndAtItsBirth(t *testing.T) {
	m, c, e := besideMosquitto(t)
	r := start(t, c)
	eventually(t, "the device is described", func() bool { return e.last(configTopic) != "" })
	added, _ := components(t, e.last(configTopic))
	if !slices.Contains(added, "camera_door_recognition") {
		t.Errorf("components %v", added)
	}

	before, health := e.count(configTopic), e.count("facerecd/pi/health")
	e.say(t, "homeassistant/status", false, "online")
	eventually(t, "it is described again", func() bool { return e.count(configTopic) > before })
	eventually(t, "the states come again", func() bool { return e.count("facerecd/pi/health") > health })
	eventually(t, "the availability and the switch are there", func() bool {
		return e.last("facerecd/pi/availability") == "online" && e.last("facerecd/pi/door/recognition") == "on"
	})

	person, err := r.Register(t.Context(), "Ana", []string{photo(t, "obama2")})
	if err != nil {
		t.Fatal(err)
	}
	present := "person_" + person.Person.ID + "_present"
	eventually(t, "who was enrolled is described", func() bool { return strings.Contains(e.last(configTopic), present) })

	m.stop(t)
	m.forget(t)
	m.start(t)
	e = listen(t, m.addr)
	eventually(t, "a broker without its state is told everything", func() bool {
		return strings.Contains(e.last(configTopic), present) && e.last(anaTopic) != "" && e.last("facerecd/pi/health") != "" &&
			e.last("facerecd/pi/availability") == "online" && e.last("facerecd/pi/door/recognition") == "on"
	})

	if _, err := r.Delete(t.Context(), person.Person.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "who was deleted is taken out", func() bool {
		_, removed := components(t, e.last(configTopic))
		return slices.Contains(removed, present)
	})
	eventually(t, "and then not mentioned", func() bool { return !strings.Contains(e.last(configTopic), person.Person.ID) })
	r.stop(t)
	for topic, payload := range listen(t, m.addr).heard() {
		if strings.Contains(payload, "Ana") {
			t.Errorf("%s has %s", topic, payload)
		}
	}

	c.MQTT.Discovery = false
	start(t, c)
	eventually(t, "the device is taken back", func() bool { return e.last(configTopic) == "" })
}

func TestAPersonsTopicFollowsThePerson(t *testing.T) {
	m, c, e := besideMosquitto(t)
	r := start(t, c)
	person, err := r.Register(t.Context(), "Ana", []string{photo(t, "obama2"), photo(t, "obama3")})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "Ana is seen", func() bool { s := e.state(t, anaTopic); return s.Present && s.Event != "" })
	s := e.state(t, anaTopic)
	if s.Person.ID != person.Person.ID || s.Person.Name != "Ana" || s.Camera != "door" || len(s.Cameras) != 1 || s.Confidence <= 0.5 || time.Since(s.LastSeen) > patience {
		t.Errorf("state %+v", s)
	}

	if _, err := r.Rename(t.Context(), person.Person.ID, "Bea"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "who is renamed has another topic", func() bool {
		return e.last(anaTopic) == "" && e.state(t, "facerecd/pi/person/bea").Present
	})
	r.stop(t)
	eventually(t, "nobody is in view of a camera that is closed", func() bool { return !e.state(t, "facerecd/pi/person/bea").Present })

	// While the daemon and then the broker are away.
	away := c
	away.Cameras = nil
	r = start(t, away)
	if s := e.state(t, "facerecd/pi/person/bea"); s.Present || s.Camera != "door" || s.LastSeen.IsZero() || s.Event == "" {
		t.Errorf("after a restart %+v", s)
	}
	m.stop(t)
	if _, err := r.Delete(t.Context(), person.Person.ID); err != nil {
		t.Fatal(err)
	}
	r.stop(t)
	m.start(t)
	e = listen(t, m.addr)
	eventually(t, "the broker has what it had", func() bool { return e.last("facerecd/pi/person/bea") != "" })
	start(t, c)
	eventually(t, "who was deleted while the broker was away is gone", func() bool { return e.last("facerecd/pi/person/bea") == "" })
	eventually(t, "also from the discovery", func() bool { return !strings.Contains(e.last(configTopic), person.Person.ID) })
	for topic, payload := range listen(t, m.addr).heard() {
		if strings.Contains(payload, "Bea") {
			t.Errorf("%s has %s", topic, payload)
		}
	}
}

func TestDiscoveriesThatDifferAreApartAndTheLastOneComes(t *testing.T) {
	long(t)
	_, c, e := besideMosquitto(t)
	second := c.Cameras[0]
	second.Name, second.Source = "yard", photo(t, "biden")
	c.Cameras = append(c.Cameras, second)
	f := &file{now: c}
	r := start(t, c, func(d *Daemon) { d.Load = f.load })
	eventually(t, "the device is described", func() bool { return e.last(configTopic) != "" && e.last("facerecd/pi/yard/recognition") == "on" })
	for i, name := range []string{"obama", "obama2", "obama3", "biden"} {
		if _, err := r.ForceRegister(t.Context(), fmt.Sprintf("P%d", i), []string{photo(t, name)}); err != nil {
			t.Fatal(err)
		}
		e.say(t, "homeassistant/status", false, "online") // which is answered with what was said
		time.Sleep(300 * time.Millisecond)
	}
	f.write(func(c *config.Config) { c.Cameras = c.Cameras[:1] })
	r.reload(t)
	eventually(t, "all of it is described", func() bool {
		last := e.last(configTopic)
		_, removed := components(t, last)
		return strings.Contains(last, "person/p3") && slices.Contains(removed, "camera_yard_recognition")
	})
	eventually(t, "what was removed is left out", func() bool { return !strings.Contains(e.last(configTopic), "yard") })
	if e.last("facerecd/pi/yard/recognition") != "" || e.last("facerecd/pi/yard/status") != "" {
		t.Error("the broker has something of a camera that is gone")
	}
	var last time.Time
	before := ""
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, m := range e.messages {
		if m.Topic() != configTopic || string(m.Payload()) == before {
			continue
		}
		if before != "" && e.times[i].Sub(last) < apart-500*time.Millisecond {
			t.Errorf("another one after %v", e.times[i].Sub(last))
		}
		before, last = string(m.Payload()), e.times[i]
	}
}

func TestPicturesOfFacesArePublishedOnlyWhenTheOwnerWantsThem(t *testing.T) {
	long(t)
	for _, wanted := range []bool{false, true} {
		m := newMosquitto(t)
		m.start(t)
		e := listen(t, m.addr)
		c := settings(t, folder(t, "obama", "biden"))
		c.MQTT.Broker, c.MQTT.Images = "tcp://"+m.addr, wanted
		r := start(t, c)
		eventually(t, "events come", func() bool { return e.count("facerecd/pi/door/event") >= 4 })
		if wanted {
			eventually(t, "pictures come", func() bool { return e.count("facerecd/pi/door/face") >= 2 })
			img, err := jpeg.Decode(strings.NewReader(e.last("facerecd/pi/door/face")))
			if err != nil || img.Bounds().Dx() < 100 || img.Bounds().Dx() >= 640 {
				t.Errorf("picture %v, %v", img, err)
			}
		}
		r.stop(t)
		if got := e.count("facerecd/pi/door/face"); !wanted && got > 0 {
			t.Errorf("%d pictures", got)
		}
		added, _ := components(t, e.last(configTopic))
		if slices.Contains(added, "camera_door_last_face") != wanted {
			t.Errorf("wanted %t: components %v", wanted, added)
		}
	}
}
