package daemon

import (
	"bytes"
	"crypto/sha256"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"facerecd/daemon/config"
	"facerecd/daemon/event"
	"facerecd/daemon/homeassistant"
	"facerecd/match/store"
)

// remains are bytes that tell of somebody, by what they are.
type remains map[string][]byte

// remainsOf takes from a running daemon what it has of the one person enrolled.
func remainsOf(t *testing.T, r *rig, id, name string) remains {
	t.Helper()
	all := remains{"name": []byte(name), "id": []byte(id)}
	backup, err := r.Client.Backup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer backup.Close()
	a, err := store.OpenArchive(backup)
	if err != nil {
		t.Fatal(err)
	}
	// Records of faces begin with their model, which is everybody's; the middle of
	// an embedding or a picture is one face's.
	middle := func(b []byte) []byte { return bytes.Clone(b[len(b)/2:][:min(64, len(b)/4)]) }
	err = a.Each(func(key, value []byte) error {
		prefix, _, _ := strings.Cut(string(key), "/")
		switch prefix {
		case "template", "crop", "face", "picture":
			all[prefix+" "+string(key[len(key)-8:])] = middle(value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// kinds is which kinds of remains the files of a device have, with how many of each.
func (all remains) in(t *testing.T, c config.Config) map[string]int {
	t.Helper()
	found := make(map[string]int)
	err := filepath.WalkDir(c.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) { // Badger has replaced it
			return nil
		}
		for what, text := range all {
			if bytes.Contains(data, text) {
				kind, _, _ := strings.Cut(what, " ")
				found[kind]++
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// retained is everything that a broker keeps.
func retained(t *testing.T, m *mosquitto) string {
	t.Helper()
	host, port, err := net.SplitHostPort(m.addr)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "mosquitto_sub", "-v", "-h", host, "-p", port, "-t", "#", "--retained-only", "-W", "1").Output()
	if exit := new(exec.ExitError); err != nil && (!asExit(err, &exit) || exit.ExitCode() != 27) { // 27: the second is over
		t.Fatalf("mosquitto_sub: %v", err)
	}
	return string(out)
}

func asExit(err error, exit **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*exit = e
	return ok
}

// TestWhoIsDeletedLeavesNothingInAnyFile has a person in all places where this
// daemon keeps people, deletes them, and reads the files of the running daemon
// and of another device of its fleet as bytes.
func TestWhoIsDeletedLeavesNothingInAnyFile(t *testing.T) {
	long(t)
	t.Parallel()
	m := newMosquitto(t)
	m.start(t)
	c := settings(t, photo(t, "obama"))
	c.MQTT.Broker, c.Fleet.KeyFile = "tcp://"+m.addr, newKey(t)
	c.KeepCrops, c.History.Pictures, c.History.Embeddings = true, true, true
	r := start(t, c)
	other := start(t, member(t, m, "other", c.Fleet.KeyFile))
	// As somebody who is seen before and after they are known, so that there is a
	// face like theirs in events that name nobody.
	eventually(t, "an event has the face and no name", func() bool {
		rows, err := r.health.parts.store.History("", 10)
		return err == nil && len(rows) > 0
	})
	id := r.register(t, secretName, "obama2", "obama3")
	soon(t, "knows them", "obama", secretName, other)
	eventually(t, "the history has them", func() bool {
		events, err := r.health.parts.log.History(t.Context(), "", 10)
		return err == nil && len(events) > 0 && events[0].Type == event.Recognized && events[0].Person != nil
	})
	slug := homeassistant.Slugs([]homeassistant.Person{{ID: id, Name: secretName}})[0].Slug
	eventually(t, "the broker has them", func() bool {
		kept := retained(t, m)
		return strings.Contains(kept, "person/"+slug) && strings.Contains(kept, "present {") && strings.Contains(kept, id)
	})
	// The camera would see the very same picture again.
	if err := r.SwitchCamera("door", false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "they have left", func() bool {
		events, err := r.health.parts.log.History(t.Context(), "", 10)
		return err == nil && events[0].Type == event.Left && !strings.Contains(retained(t, m), "\"people\":[{")
	})
	all := remainsOf(t, r, id, secretName)
	// They are found where they are: what follows could fail.
	for _, kind := range []string{"name", "id", "template", "crop", "face", "picture"} {
		if before := all.in(t, c); before[kind] == 0 {
			t.Errorf("no file has the person's %s, before they are deleted: %v", kind, before)
		}
	}

	receipt, err := r.Delete(t.Context(), id)
	if err != nil || receipt.Templates != 2 || receipt.Crops != 2 || receipt.History == 0 || receipt.Pictures == 0 || receipt.Alike == 0 ||
		receipt.Topics != 2 || receipt.Fleet != 1 || !receipt.Purged {
		t.Errorf("receipt %+v, %v", receipt, err)
	}
	if left := all.in(t, c); len(left) > 0 {
		t.Errorf("the files of the running daemon have, by kind: %v", left)
	}
	soon(t, "has forgotten them", "obama", "", other)

	if left := all.in(t, other.Config); len(left) > 0 {
		t.Errorf("the files of the other device have, by kind: %v", left)
	}
	for what, text := range map[string]string{"name": secretName, "id": id, "slug": slug} {
		eventually(t, "the broker keeps no "+what, func() bool { return !strings.Contains(retained(t, m), text) })
	}

	// What is left by design: a mark, by which nobody brings them back.
	mark := sha256.Sum256([]byte(id))
	if left := (remains{"mark": mark[:]}).in(t, c); left["mark"] == 0 {
		t.Error("there is no mark of the deletion")
	}
	r.stop(t)
	other.stop(t)
	if left := all.in(t, c); len(left) > 0 {
		t.Errorf("the files of the daemon that has stopped have, by kind: %v", left)
	}
}
