package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// backups is a fake Backups, whose backup is any text.
type backups struct {
	read    string // what Backup gives
	broken  error  // what reading it ends with
	wrong   error  // what Restore answers
	options RestoreOptions
	taken   string
}

func (b *backups) Backup(context.Context) (Backup, error) {
	var r io.Reader = strings.NewReader(b.read)
	size := len(b.read)
	if b.broken != nil {
		r, size = io.MultiReader(r, failing{b.broken}), size+1
	}
	return Backup{ReadCloser: io.NopCloser(r), Size: int64(size)}, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func (b *backups) Restore(_ context.Context, r io.Reader, o RestoreOptions) (Restored, error) {
	data, err := io.ReadAll(r)
	b.taken, b.options = string(data), o
	if err == nil {
		err = b.wrong
	}
	return Restored{Device: "pi", Created: noon, People: 3, Templates: 7, Deleted: 1}, err
}

func (b *backups) with(s *Server) { s.Backups = b }

func TestABackupIsSentWhole(t *testing.T) {
	b := &backups{read: strings.Repeat("biometric ", 100_000)}
	status, header, body := request{method: "GET", path: "/api/v1/backup", server: b.with}.do(t, &daemon{}, readDocument(t))
	if status != 200 || body != b.read || header.Get("Content-Length") != "1000000" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d, %d bytes, %v", status, len(body), header)
	}
}

// TestABackupThatBreaksDoesNotLookWhole holds although its answer has begun.
func TestABackupThatBreaksDoesNotLookWhole(t *testing.T) {
	d := &daemon{}
	server := d.server()
	server.Backups = &backups{read: strings.Repeat("x", 200_000), broken: errors.New("the card is worn out")}
	port := httptest.NewServer(server.Handler())
	defer port.Close()
	resp, err := port.Client().Get(port.URL + "/api/v1/backup")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if data, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("read %d bytes and no error", len(data))
	}
}

func TestABackupIsTakenIn(t *testing.T) {
	b := &backups{}
	q := request{method: "POST", path: "/api/v1/restore?replace=true&with_deleted=true&model=face-1", body: strings.NewReader("people"), server: b.with}
	status, _, body := q.do(t, &daemon{}, readDocument(t))
	const want = `{"device":"pi","created":"2026-11-24T12:00:00Z","people":3,"templates":7,"crops":0,"history":0,"removed":0,"deleted":1}`
	if status != 200 || strings.TrimSpace(body) != want || b.taken != "people" {
		t.Errorf("got %d %s of %q\nwant %s", status, body, b.taken, want)
	}
	if o := (RestoreOptions{Replace: true, WithDeleted: true, Model: "face-1"}); b.options != o || o.Query().Encode() != "model=face-1&replace=true&with_deleted=true" {
		t.Errorf("options %+v", b.options)
	}
}

func TestABackupThatIsRefusedSaysWhy(t *testing.T) {
	for name, tt := range map[string]struct {
		path   string
		wrong  error
		status int
		code   string
		detail string
	}{
		"parameter": {"?wipe=true", nil, 400, CodeBadParameter, "The parameters are replace=true, with_deleted=true and model=ID, and there is no other."},
		"replace":   {"?replace=maybe", nil, 400, CodeBadParameter, "The parameters are replace=true, with_deleted=true and model=ID, and there is no other."},
		"damaged":   {"", &BackupError{Err: errors.New("it is damaged; use another")}, 422, CodeBadBackup, "It is damaged; use another."},
		"model":     {"", fmt.Errorf("restore: %w", &BackupError{Err: errors.New("another model made it"), OtherModel: true}), 422, CodeOtherModel, "Another model made it."},
		"two":       {"", fmt.Errorf("restore: %w", ErrRestoring), 503, CodeBusy, "Another backup is being restored; wait until that is done."},
		"disk full": {"", errors.New("disk full"), 500, CodeInternal, "Something failed inside facerecd; its log says what (journalctl -u facerecd)."},
	} {
		t.Run(name, func(t *testing.T) {
			b := &backups{wrong: tt.wrong}
			q := request{method: "POST", path: "/api/v1/restore" + tt.path, body: strings.NewReader("x"), server: b.with}
			status, _, body := q.do(t, &daemon{}, readDocument(t))
			want := fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d,"detail":%q,"code":%q}`, http.StatusText(tt.status), tt.status, tt.detail, tt.code)
			if status != tt.status || strings.TrimSpace(body) != want {
				t.Errorf("got %d %swant %s", status, body, want)
			}
		})
	}
}
