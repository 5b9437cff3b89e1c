package mqtt

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPacedStateIsPublishedAtItsPaceAndTheLastOneAlways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r retained
		began := time.Now()
		var got []string
		drain := func() (wait time.Duration) {
			for {
				topic, payload, wait := r.take(false)
				if topic == "" {
					return wait
				}
				got = append(got, fmt.Sprintf("%v %s %s", time.Since(began), topic, payload))
			}
		}
		for i := range 25 { // it flaps every 100 ms
			r.set("door/status", fmt.Append(nil, i), time.Second)
			if i%10 == 0 {
				r.set("door/present", fmt.Append(nil, i), 0)
				r.set("yard/status", []byte("fine"), time.Second)
			}
			drain()
			time.Sleep(100 * time.Millisecond)
		}
		if wait := drain(); wait != 500*time.Millisecond {
			t.Errorf("the last one may go after %v, want 500ms", wait)
		}
		time.Sleep(500 * time.Millisecond)
		if wait := drain(); wait != 0 {
			t.Errorf("nothing is left to be published, yet after %v there is", wait)
		}
		want := []string{
			"0s door/present 0", "0s door/status 0", "0s yard/status fine",
			"1s door/present 10", "1s door/status 10", "1s yard/status fine",
			"2s door/present 20", "2s door/status 20", "2s yard/status fine",
			"3s door/status 24",
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("published\n%v\nwant\n%v", got, want)
		}

		r.set("door/status", []byte("gone"), time.Second)
		if topic, payload, _ := r.take(true); topic != "door/status" || string(payload) != "gone" {
			t.Errorf("in a hurry %q is published on %q", payload, topic)
		}
		if topic, _, _ := r.take(true); topic != "" {
			t.Errorf("%s is published twice", topic)
		}
		r.renew()
		if topic, _, _ := r.take(false); topic != "door/present" {
			t.Errorf("a new connection begins with %q", topic)
		}
		if topic, payload, _ := r.take(false); topic != "door/status" || string(payload) != "gone" {
			t.Errorf("a new connection goes on with %q on %q", payload, topic)
		}
	})
}
