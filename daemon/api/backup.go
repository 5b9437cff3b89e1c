package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

// BackupType is the media type of a backup.
const BackupType = "application/vnd.facerecd.backup"

// maxDrained is how much of a refused backup is read all the same.
const maxDrained = 256 << 20

// Backups makes backups of the people, and takes them in. Its methods are called
// by several goroutines at once.
type Backups interface {
	// Backup is of one moment. The caller closes it.
	Backup(ctx context.Context) (Backup, error)
	// Restore takes all of a backup in, or with an error nothing: a *BackupError when
	// that is the backup's fault, ErrRestoring when another one is on its way.
	Restore(ctx context.Context, r io.Reader, o RestoreOptions) (Restored, error)
}

// Backup is a file, as docs/backup.md describes it.
type Backup struct {
	io.ReadCloser
	Size int64 // bytes
}

// RestoreOptions say how a backup is taken in.
type RestoreOptions struct {
	Replace     bool   // who is not in it is taken away
	WithDeleted bool   // who was deleted since comes back, as a new person
	Model       string // when set: refuse embeddings that another model pack made, or that this device does not use
}

// Query is the options as the address of a request has them.
func (o RestoreOptions) Query() url.Values {
	q := url.Values{}
	if o.Replace {
		q.Set("replace", "true")
	}
	if o.WithDeleted {
		q.Set("with_deleted", "true")
	}
	if o.Model != "" {
		q.Set("model", o.Model)
	}
	return q
}

// Restored says what was taken in.
type Restored struct {
	Device    string    `json:"device"`    // that made the backup
	Created   time.Time `json:"created"`   // when that was
	People    int       `json:"people"`    // of the backup who are here now
	Templates int       `json:"templates"` // embeddings that were not here
	Crops     int       `json:"crops"`     // pictures of faces that were not here
	History   int       `json:"history"`   // events that are in the history now; 0 when the device kept its own
	Removed   int       `json:"removed"`   // people who are not in the backup and were taken away
	Deleted   int       `json:"deleted"`   // people of the backup who had been deleted since, and stay so
}

// ErrRestoring says that one backup is restored at a time.
var ErrRestoring = errors.New("another backup is being restored; wait until that is done")

// BackupError is what is wrong with a backup.
type BackupError struct {
	Err        error
	OtherModel bool // its embeddings are of a model that is not used here, and RestoreOptions.Model forbids them
}

func (e *BackupError) Error() string { return e.Err.Error() }
func (e *BackupError) Unwrap() error { return e.Err }

// getBackup answers with a backup of this moment.
func (s *service) getBackup(w http.ResponseWriter, r *http.Request) error {
	if err := acquire(r.Context(), s.backups, workPatience); err != nil {
		return err
	}
	defer func() { <-s.backups }()
	b, err := s.Backups.Backup(r.Context())
	if err != nil {
		return fmt.Errorf("make backup: %w", err)
	}
	defer b.Close()
	s.Log.Info("a backup is fetched", "bytes", b.Size)
	w.Header().Set("Content-Type", BackupType)
	w.Header().Set("Content-Length", strconv.FormatInt(b.Size, 10))
	w.Header().Set("Content-Disposition", `attachment; filename="facerecd.backup"`)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writePatience))
	if r.Method == http.MethodHead {
		return nil
	}
	out := newStream(w)
	for piece := make([]byte, 64<<10); ; {
		n, err := b.Read(piece)
		if n > 0 && !out.write(piece[:n]) || errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			s.Log.Error("send backup", "error", err)
			panic(http.ErrAbortHandler) // it must not look whole
		}
	}
}

// restoreBackup takes a backup in.
func (s *service) restoreBackup(w http.ResponseWriter, r *http.Request) error {
	o, err := restoreOptions(r.URL.Query())
	if err != nil {
		return err
	}
	done, err := s.Backups.Restore(r.Context(), r.Body, o)
	bad, isBad := errors.AsType[*BackupError](err)
	if err != nil {
		// Who is still sending would not hear the answer.
		_, _ = io.CopyN(io.Discard, r.Body, maxDrained)
	}
	switch {
	case err == nil:
		return s.answer(w, http.StatusOK, done)
	case isBad && bad.OtherModel:
		return problem(http.StatusUnprocessableEntity, CodeOtherModel, sentence(bad.Error()))
	case isBad:
		return problem(http.StatusUnprocessableEntity, CodeBadBackup, sentence(bad.Error()))
	case errors.Is(err, ErrRestoring):
		return problem(http.StatusServiceUnavailable, CodeBusy, sentence(ErrRestoring.Error()))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return bodyProblem(w, err)
	}
	return fmt.Errorf("restore backup: %w", err)
}

func restoreOptions(q url.Values) (o RestoreOptions, err error) {
	for name, value := range q {
		switch name {
		case "replace":
			o.Replace, err = strconv.ParseBool(value[0])
		case "with_deleted":
			o.WithDeleted, err = strconv.ParseBool(value[0])
		case "model":
			o.Model = value[0]
		default:
			err = errors.New("unknown")
		}
		if err != nil {
			return o, badParameter("The parameters are replace=true, with_deleted=true and model=ID, and there is no other.")
		}
	}
	return o, nil
}
