package child

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A program that is asked to end gets so long before it is killed, and a
// killed one so long before it is given up: one that hangs in a driver cannot
// be killed, and must not keep the daemon from ending.
const (
	killAfter   = time.Second
	giveUpAfter = 3 * time.Second
)

// process is a program in a process group of its own.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and was waited for

	mu     sync.Mutex
	reaped bool // its id may be another's from now on
}

// startProcess starts cmd, whose standard error may be any io.Writer.
func startProcess(cmd *exec.Cmd) (*process, error) {
	// The program must not outlive the daemon, even if that is killed. The
	// kernel takes the thread that started it for its parent, so that thread
	// has to stay (prctl(2), PR_SET_PDEATHSIG; go.dev/issue/27505).
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = killAfter // for a grandchild that left the group and holds stderr
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// run starts the program and waits for it, on one thread.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	defer close(p.done)
	// While the ended program is not waited for, its id stays taken: what it
	// left behind can be killed without hitting another group.
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.signal(syscall.SIGKILL)
	p.mu.Lock()
	p.reaped = true
	p.mu.Unlock()
	_ = p.cmd.Wait() // the state says it
}

// signal sends to the group, which is there for as long as it may be sent to.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = syscall.Kill(-p.cmd.Process.Pid, s) // it may have ended just now
	}
}

// stop ends the program and all it started, if need be by force, and waits.
func (p *process) stop() error {
	p.signal(syscall.SIGTERM)
	if p.wait(killAfter) {
		return nil
	}
	p.signal(syscall.SIGKILL)
	if p.wait(giveUpAfter) {
		return nil
	}
	return fmt.Errorf("%s (process %d) cannot be killed; a driver holds it: restart the machine if the camera does not come back", p.cmd.Path, p.cmd.Process.Pid)
}

// end waits for a program that is about to end, and says how it did.
func (p *process) end() string {
	if !p.wait(killAfter) {
		if err := p.stop(); err != nil {
			return err.Error()
		}
	}
	return p.cmd.ProcessState.String()
}

func (p *process) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}
