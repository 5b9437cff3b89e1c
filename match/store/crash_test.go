package store

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"facerecd/match"
)

// crashDir is the variable that makes the test binary write to a store until it
// is killed.
const crashDir = "FACERECD_STORE_CRASH_DIR"

// perPerson is how many templates the child enrols with each person.
const perPerson = 3

// crashChild appends, enrols, deletes, closes and opens, and prints a line for
// all that was acknowledged.
func crashChild(dir string) {
	fmt.Println("ready")
	for {
		s, err := Open(dir, Options{})
		if err != nil {
			fmt.Println("open:", err)
			return
		}
		for n := range 6 {
			if err == nil {
				err = crashRound(s, n%3 == 0)
			}
		}
		if err := errors.Join(err, s.Close()); err != nil {
			fmt.Println(err)
			return
		}
	}
}

func crashRound(s *Store, forget bool) error {
	var id string
	for range 5 {
		// Large enough that write-ahead logs are changed and tables merged meanwhile.
		face := Face{Model: "m", Vector: towards(1), Picture: make([]byte, 20_000)}
		seq, err := s.Append(Row{ID: "E", Topic: "t", Payload: make([]byte, 20_000), At: time.Now(), Face: face})
		if err != nil {
			return err
		}
		fmt.Println("event", seq)
		id = fmt.Sprintf("P%06d", seq) // as a ULID, never used twice
	}
	if err := s.Enroll(match.Person{ID: id, Name: id}, cropped(id, perPerson, 100_000)); err != nil {
		return err
	}
	if !forget {
		fmt.Println("person", id)
		return nil
	}
	if _, err := s.Delete(id, redactAll); err != nil {
		return err
	}
	fmt.Println("gone", id)
	return nil
}

// TestKilledAtAnyMomentLosesNothingAcknowledged kills a process a dozen times
// on the same store: whatever it was told is stored must be there, in order and
// whole, and whoever is deleted must be gone.
func TestKilledAtAnyMomentLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	var events []uint64
	var people, gone []string
	for range 12 {
		lines := killedChild(t, dir, r.IntN(60), time.Duration(r.IntN(4000))*time.Microsecond)
		before := len(events)
		for _, line := range lines {
			kind, value, _ := strings.Cut(line, " ")
			switch kind {
			case "event":
				seq, err := strconv.ParseUint(value, 10, 64)
				must(t, err)
				events = append(events, seq)
			case "person":
				people = append(people, value)
			case "gone":
				gone = append(gone, value)
			default:
				t.Fatalf("the child says %q", line)
			}
		}
		t.Logf("%d events acknowledged before the kill", len(events)-before)
		checkAfterCrash(t, dir, events, people, gone)
	}
	if len(events) == 0 || len(people) == 0 || len(gone) == 0 {
		t.Error("nothing was acknowledged in any run; the test proves nothing")
	}
}

// killedChild lets a child write until it has printed so many lines, and for a
// moment longer, so that the kill falls anywhere within a write however slow
// the machine is. It returns the lines that were printed before the kill.
func killedChild(t *testing.T, dir string, count int, moment time.Duration) (lines []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		if scanner.Text() != "ready" {
			lines = append(lines, scanner.Text())
		}
		if len(lines) == count {
			timer := time.AfterFunc(moment, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child ended by itself: %v; %q", err, lines)
	}
	return lines
}

func checkAfterCrash(t *testing.T, dir string, events []uint64, people, gone []string) {
	t.Helper()
	s := open(t, dir, Options{})
	defer func() { must(t, s.Close()) }()

	var seqs []uint64
	for _, q := range got[[]Queued](t)(s.Pending(0, 1<<30)) {
		seqs = append(seqs, q.Seq)
	}
	if !slices.IsSorted(seqs) {
		t.Error("events are out of order")
	}
	for _, seq := range events {
		if _, ok := slices.BinarySearch(seqs, seq); !ok {
			t.Errorf("event %d was acknowledged and is lost", seq)
		}
	}
	history := got[[]Row](t)(s.History("", 1<<30))
	if count, _ := s.Backlog(); count != len(seqs) || len(history) != len(seqs) {
		t.Errorf("%d events wait, %d are counted, %d in the history", len(seqs), count, len(history))
	}
	if faces, pictures := keysUnder(t, s, facePrefix), keysUnder(t, s, picturePrefix); faces != len(history) || pictures != len(history) {
		t.Errorf("%d embeddings and %d pictures of %d events", faces, pictures, len(history))
	}
	for _, r := range history {
		if !r.Embedded || !r.Pictured {
			t.Fatal("an event has lost its face")
		}
	}

	stored := map[string]int{}
	for _, p := range got[[]match.Person](t)(s.People()) {
		stored[p.ID] = p.Templates
		if p.Templates != perPerson {
			t.Errorf("person %s is half enrolled, with %d templates", p.ID, p.Templates)
		}
		if _, err := s.FindByName(p.Name); err != nil {
			t.Errorf("person %s: %v", p.ID, err)
		}
	}
	total := 0
	must(t, s.Templates(func(match.Template) error { total++; return nil }))
	if total != perPerson*len(stored) {
		t.Errorf("%d templates of %d people", total, len(stored))
	}
	crops := 0
	must(t, s.view(func(txn *badger.Txn) error {
		for item := range keys(txn, cropPrefix) {
			crops++
			person, _, _ := strings.Cut(strings.TrimPrefix(string(item.Key()), cropPrefix), "/")
			if stored[person] == 0 {
				t.Errorf("a crop of %s is left, who is not enrolled", person)
			}
		}
		return nil
	}))
	if crops != total {
		t.Errorf("%d crops of %d templates", crops, total)
	}
	for _, id := range people {
		if stored[id] == 0 {
			t.Errorf("person %s was acknowledged and is lost", id)
		}
	}
	for _, id := range gone {
		if stored[id] != 0 {
			t.Errorf("person %s was deleted and is back", id)
		}
	}
}
