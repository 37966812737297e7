// Package supervise runs the processes of `make run`: starts them in order, starts a dead one again, stops all in reverse.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Child is a process to keep running.
type Child struct {
	Name string
	Path string
	Args []string
	Env  []string // added to the supervisor's own

	// Ready says whether it serves; nil = as soon as it runs.
	Ready func(ctx context.Context) error
	// Ends lets it end with success without being started again.
	Ends bool
}

// Limits.
const (
	readyEvery   = 100 * time.Millisecond
	readyTimeout = 60 * time.Second
	stopTimeout  = 8 * time.Second // then SIGKILL; all children are stopped within ten seconds
	backoffMin   = 500 * time.Millisecond
	backoffMax   = 15 * time.Second
	stableAfter  = 30 * time.Second // a child that lived so long begins with the shortest wait again
	maxLog       = 16 << 20         // a log over this size is moved to NAME.log.1 at a start
)

// Home is where pid files and logs are.
type Home struct {
	Dir  string
	Say  func(format string, args ...any)
	mu   sync.Mutex
	live []*process
}

// process is a child that was started.
type process struct {
	child Child
	cmd   *exec.Cmd
	done  chan struct{} // closed when it will not be started again
	stop  chan struct{}
	once  sync.Once
	mu    sync.Mutex
}

// New makes the folders.
func New(dir string, say func(string, ...any)) (*Home, error) {
	for _, d := range []string{"run", "log"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, fmt.Errorf("making the home folder: %w", err)
		}
	}
	return &Home{Dir: dir, Say: say}, nil
}

// PidFile is where a child's pid is.
func (h *Home) PidFile(name string) string { return filepath.Join(h.Dir, "run", name+".pid") }

// LogFile is where a child's output goes.
func (h *Home) LogFile(name string) string { return filepath.Join(h.Dir, "log", name+".log") }

// Start starts a child, keeps it running until Stop, and returns when it is ready. A child that dies before it is ready is an error, with the end of its log.
func (h *Home) Start(ctx context.Context, c Child) error {
	p := &process{child: c, done: make(chan struct{}), stop: make(chan struct{})}
	exited, err := h.spawn(p)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.live = append(h.live, p)
	h.mu.Unlock()
	if err := h.awaitReady(ctx, c, exited); err != nil {
		go h.keep(p, exited)
		return err
	}
	go h.keep(p, exited)
	return nil
}

func (h *Home) spawn(p *process) (exited chan error, err error) {
	c := p.child
	if info, err := os.Stat(h.LogFile(c.Name)); err == nil && info.Size() > maxLog {
		if err := os.Rename(h.LogFile(c.Name), h.LogFile(c.Name)+".1"); err != nil {
			return nil, fmt.Errorf("rotating the log of %s: %w", c.Name, err)
		}
	}
	log, err := os.OpenFile(h.LogFile(c.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", c.Name, err)
	}
	defer func() { _ = log.Close() }() // the child has its own handle
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the supervisor
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	p.mu.Lock()
	p.cmd = cmd
	p.mu.Unlock()
	if err := os.WriteFile(h.PidFile(c.Name), []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o644); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill())
	}
	exited = make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	return exited, nil
}

func (h *Home) awaitReady(ctx context.Context, c Child, exited chan error) error {
	if c.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		err := c.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case e := <-exited:
			exited <- e
			return fmt.Errorf("%s ended at its start (%w):\n%s", c.Name, e, h.tail(c.Name))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %s: %w\n%s", c.Name, readyTimeout, err, h.tail(c.Name))
		case <-time.After(readyEvery):
		}
	}
}

// tail is the end of a child's log.
func (h *Home) tail(name string) string {
	b, err := os.ReadFile(h.LogFile(name))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-8):], "\n  ")
}

// keep starts a dead child again, later each time, until Stop.
func (h *Home) keep(p *process, exited chan error) {
	defer close(p.done)
	backoff := backoffMin
	for {
		began := time.Now()
		err := <-exited
		if p.stopping() || p.child.Ends && err == nil {
			return
		}
		if time.Since(began) > stableAfter {
			backoff = backoffMin
		}
		h.Say("%s ended (%v): started again in %s; its log: %s", p.child.Name, err, backoff, h.LogFile(p.child.Name))
		select {
		case <-p.stop:
			return
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, backoffMax)
		if exited, err = h.spawn(p); err != nil {
			h.Say("%v", err)
			exited = make(chan error, 1)
			exited <- err
		}
	}
}

func (p *process) stopping() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

// Stop ends all children, the last started first, each by SIGTERM and, when it outstays its time, by SIGKILL.
func (h *Home) Stop() {
	h.mu.Lock()
	live := h.live
	h.live = nil
	h.mu.Unlock()
	deadline := time.Now().Add(stopTimeout)
	for i := len(live) - 1; i >= 0; i-- {
		h.stop(live[i], deadline)
	}
}

func (h *Home) stop(p *process, deadline time.Time) {
	p.once.Do(func() { close(p.stop) })
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(max(time.Until(deadline), 500*time.Millisecond)):
		h.Say("%s does not end and is killed", p.child.Name)
		p.signal(syscall.SIGKILL)
		<-p.done
	}
	_ = os.Remove(h.PidFile(p.child.Name)) // gone already, or stale: either is fine
}

func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.cmd.Process.Signal(s) // a process that has ended needs no signal
}
