package mqtt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"facerecd/daemon/event"
)

// stormEvents is the variable that has TestNoEventIsLostInAStorm last until so
// many events were recorded; make soak sets it to 10000.
const stormEvents = "FACERECD_STORM_EVENTS"

// storm is a daemon's way out, mosquitto, the network between them, and a
// subscriber that is beside the broker.
type storm struct {
	broker     *mosquitto
	network    *proxy
	daemon     *stormDaemon
	subscriber *stormSubscriber
	state      string // the broker's, a file
	faults     map[string]int
}

// TestNoEventIsLostInAStorm records events of three cameras in a process of its
// own, while in turn and at random moments the process is killed, the broker is
// killed, paused and restarted, with and without its state, and the network is
// cut and silent. Each event must come at least once, those of each camera in
// order once repeats are dropped, and no number may be missing.
func TestNoEventIsLostInAStorm(t *testing.T) {
	for _, secured := range []bool{false, true} {
		if secured && testing.Short() {
			continue // the same goroutines
		}
		t.Run(map[bool]string{false: "plain", true: "TLS with certificates and a password"}[secured], func(t *testing.T) {
			weather(t, secured)
		})
	}
}

func weather(t *testing.T, secured bool) {
	n := 600
	if s := os.Getenv(stormEvents); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatalf("%s: %v", stormEvents, err)
		}
	}
	s := &storm{faults: make(map[string]int)}
	var keys secrets
	if secured {
		s.broker, keys = newSecureMosquitto(t)
	} else {
		s.broker = newMosquitto(t)
	}
	dir := filepath.Dir(s.broker.config)
	s.state = filepath.Join(dir, "mosquitto.db")
	s.broker.add(t, "persistence true\npersistence_location "+dir+"/\nautosave_interval 1\n")
	s.broker.start(t)
	s.network = newProxy(t, s.broker.addr())
	s.subscriber = newStormSubscriber(t, s.broker.addr(), keys)
	s.subscribed(t, 0)
	s.daemon = &stormDaemon{dir: t.TempDir(), broker: s.network.addr(), secrets: keys, recorded: make(map[string][]string)}
	s.daemon.start(t)

	began := time.Now()
	faults := s.all()
	names := slices.Sorted(maps.Keys(faults))
	for round := 0; round == 0 || s.daemon.count() < n; round++ {
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, name := range names {
			moment(100, 2500) // also long enough for events to leave the outbox
			faults[name](t)
			s.faults[name]++
		}
	}
	for s.daemon.count() < n {
		moment(100, 100)
	}
	s.daemon.finish(t)
	received := s.subscriber.settle()
	c, err := fair(s.daemon.recorded, received)
	t.Logf("%v: %d events confirmed as recorded, %d different ones delivered in %d deliveries, %d of them repeats; %d faults: %v",
		time.Since(began).Round(time.Second), s.daemon.count(), c.different, len(received), c.repeats, sum(s.faults), s.faults)
	if err != nil {
		t.Errorf("%v\nthe daemon said:\n%s", err, &s.daemon.log)
	}
	s.control(t, received)
}

// control has the check see what is missing and what is out of order.
func (s *storm) control(t *testing.T, received []delivery) {
	t.Helper()
	victim := received[len(received)/2]
	gone := slices.DeleteFunc(slices.Clone(received), func(d delivery) bool { return d.ID == victim.ID })
	if _, err := fair(s.daemon.recorded, gone); err == nil {
		t.Error("an event was taken out, and nobody noticed")
	}
	byCamera := map[string][]int{} // places of first deliveries
	seen := map[string]bool{}
	for i, d := range received {
		if !seen[d.ID] {
			seen[d.ID] = true
			byCamera[d.Camera] = append(byCamera[d.Camera], i)
		}
	}
	places := byCamera[victim.Camera]
	i, j := places[len(places)/2], places[len(places)/2+1]
	swapped := slices.Clone(received)
	swapped[i], swapped[j] = swapped[j], swapped[i]
	if _, err := fair(s.daemon.recorded, swapped); err == nil {
		t.Error("two events of a camera were swapped, and nobody noticed")
	}
	changed := append(slices.Clone(received), victim)
	changed[len(changed)-1].payload = append([]byte(" "), victim.payload...)
	if _, err := fair(s.daemon.recorded, changed); err == nil {
		t.Error("a repeat was changed, and nobody noticed")
	}
}

func (s *storm) all() map[string]func(*testing.T) {
	restart := func(t *testing.T, end func()) {
		generation := s.subscriber.generation()
		end()
		// What reaches a broker to which nobody has subscribed is nobody's.
		s.network.shut()
		s.broker.start(t)
		s.subscribed(t, generation)
		s.network.open()
	}
	return map[string]func(*testing.T){
		"daemon killed": func(t *testing.T) {
			s.daemon.kill(t)
			s.daemon.start(t)
		},
		"broker killed": func(t *testing.T) { restart(t, s.broker.kill) },
		"broker killed, its state lost": func(t *testing.T) {
			restart(t, func() {
				s.broker.kill()
				if err := os.Remove(s.state); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Error(err)
				}
			})
		},
		"broker restarted": func(t *testing.T) { // its state has the subscription
			s.broker.end(t)
			moment(0, 500)
			s.broker.start(t)
		},
		"broker restarted, its state lost": func(t *testing.T) {
			restart(t, func() {
				s.broker.end(t)
				if err := os.Remove(s.state); err != nil {
					t.Error(err)
				}
			})
		},
		"broker paused": func(t *testing.T) {
			s.broker.signal(t, syscall.SIGSTOP)
			moment(500, 3000) // at times longer than the publisher's patience
			s.broker.signal(t, syscall.SIGCONT)
		},
		"broker paused, daemon killed": func(t *testing.T) {
			s.broker.signal(t, syscall.SIGSTOP)
			moment(200, 500)
			s.daemon.kill(t)
			s.broker.signal(t, syscall.SIGCONT)
			s.daemon.start(t)
		},
		"network cut": func(*testing.T) { s.network.cut() },
		"network down": func(*testing.T) {
			s.network.shut()
			moment(200, 1000)
			s.network.open()
		},
		"network silent": func(*testing.T) {
			way := []*bool{&s.network.deaf, &s.network.mute}[rand.N(2)]
			s.network.set(func() { *way = true })
			moment(500, 3000)
			s.network.open()
		},
	}
}

// subscribed waits for a subscription that is younger than a generation.
func (s *storm) subscribed(t *testing.T, than int) {
	t.Helper()
	eventually(t, "the subscriber has subscribed", func() bool { return s.subscriber.generation() > than })
}

func moment(least, most int) {
	time.Sleep(time.Duration(least+rand.N(most-least+1)) * time.Millisecond)
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// end asks mosquitto to stop, and it saves its state.
func (m *mosquitto) end(t *testing.T) {
	t.Helper()
	m.signal(t, syscall.SIGTERM)
	m.output.Wait()
	_ = m.cmd.Wait()
	m.cmd = nil
}

func (m *mosquitto) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := m.cmd.Process.Signal(s); err != nil {
		t.Error(err)
	}
}

// delivery is a message as it came.
type delivery struct {
	event.Event
	payload []byte
}

// counts are what fair saw.
type counts struct{ different, repeats int }

// fair checks that everything that was recorded was received, without a gap and
// in order per camera once repeats are dropped, and that repeats are repeats.
func fair(recorded map[string][]string, received []delivery) (c counts, err error) {
	first := make(map[string][]byte)     // payloads by id
	tracks := make(map[string][]string)  // first deliveries, by camera
	last := make(map[string]uint64)      // number, by camera
	numbers := make(map[uint64]struct{}) // of all cameras
	newest := uint64(0)
	for _, d := range received {
		if payload, again := first[d.ID]; again {
			c.repeats++
			if !bytes.Equal(payload, d.payload) {
				return c, fmt.Errorf("event %d came again, and changed:\n%s\n%s", d.Seq, payload, d.payload)
			}
			continue
		}
		first[d.ID] = d.payload
		if d.Seq <= last[d.Camera] {
			return c, fmt.Errorf("event %d of %s came after event %d", d.Seq, d.Camera, last[d.Camera])
		}
		last[d.Camera] = d.Seq
		numbers[d.Seq] = struct{}{}
		newest = max(newest, d.Seq)
		tracks[d.Camera] = append(tracks[d.Camera], d.Track)
	}
	c.different = len(first)
	for camera, want := range recorded {
		got := tracks[camera]
		for i, track := range want {
			at := slices.Index(got, track)
			if at < 0 {
				return c, fmt.Errorf("event %d of the %d of %s, %s, is lost or came too early", i, len(want), camera, track)
			}
			got = got[at+1:] // others: recorded, but their process was killed before it could tell
		}
	}
	if len(numbers) != len(first) || uint64(len(numbers)) != newest {
		return c, fmt.Errorf("%d events have %d different numbers, and the last is %d", len(first), len(numbers), newest)
	}
	return c, nil
}

func TestTheStormsCheckSeesEachKindOfLoss(t *testing.T) {
	at := func(id string, seq uint64, camera, track string) delivery {
		return delivery{event.Event{ID: id, Seq: seq, Camera: camera, Track: track}, []byte(id)}
	}
	a, b, c := at("A", 1, "door", "a"), at("B", 2, "yard", "b"), at("C", 3, "door", "c")
	recorded := map[string][]string{"door": {"a", "c"}}
	for name, tc := range map[string]struct {
		received []delivery
		want     string
	}{
		"all":                        {[]delivery{a, b, c}, ""},
		"cameras among each other":   {[]delivery{b, a, c}, ""},
		"repeats":                    {[]delivery{a, a, b, c, a, c}, ""},
		"the last one lost":          {[]delivery{a, b}, "event 1 of the 2 of door, c, is lost or came too early"},
		"one lost that nobody knows": {[]delivery{a, c}, "2 events have 2 different numbers, and the last is 3"},
		"swapped":                    {[]delivery{c, a, b}, "event 1 of door came after event 3"},
		"a number twice":             {[]delivery{a, b, c, at("D", 3, "yard", "d")}, "4 events have 3 different numbers, and the last is 3"},
	} {
		_, err := fair(recorded, tc.received)
		if got := fmt.Sprint(err); got != tc.want && (err != nil || tc.want != "") {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// stormSubscriber comes back as often as it is thrown out, with a session that
// brokers keep.
type stormSubscriber struct {
	mailbox[delivery]
	sessions mailbox[struct{}]
}

func newStormSubscriber(t *testing.T, addr string, keys secrets) *stormSubscriber {
	options := func() *paho.ClientOptions { return paho.NewClientOptions().AddBroker("tcp://" + addr) }
	if keys != "" {
		config, err := keys.tls()
		if err != nil {
			t.Fatal(err)
		}
		options = func() *paho.ClientOptions {
			return paho.NewClientOptions().AddBroker("tls://" + addr).SetTLSConfig(config).SetUsername(stormUser).SetPassword(stormPassword)
		}
	}
	s := &stormSubscriber{}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			s.session(ctx, options())
		}
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return s
}

// session lasts as long as one connection.
func (s *stormSubscriber) session(ctx context.Context, o *paho.ClientOptions) {
	lost := make(chan struct{})
	o.SetAutoReconnect(false).SetProtocolVersion(4).SetConnectTimeout(2 * time.Second)
	o.SetClientID("subscriber").SetCleanSession(false).SetConnectionLostHandler(func(paho.Client, error) { close(lost) })
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		d := delivery{payload: m.Payload()}
		if strings.HasSuffix(m.Topic(), "/event") && json.Unmarshal(m.Payload(), &d.Event) == nil {
			s.put(d)
		}
	})
	client := paho.NewClient(o)
	defer client.Disconnect(0)
	for _, next := range []func() paho.Token{client.Connect, func() paho.Token { return client.Subscribe("facerecd/#", 1, nil) }} {
		if token := next(); !token.WaitTimeout(patience) || token.Error() != nil {
			moment(10, 50)
			return
		}
	}
	s.sessions.put(struct{}{})
	select {
	case <-lost:
	case <-ctx.Done():
	}
}

// generation counts the subscriptions so far.
func (s *stormSubscriber) generation() int { return len(s.sessions.all()) }

// settle waits until nothing comes any more.
func (s *stormSubscriber) settle() []delivery {
	for before := -1; ; time.Sleep(time.Second) {
		now := s.all()
		if len(now) == before {
			return now
		}
		before = len(now)
	}
}
