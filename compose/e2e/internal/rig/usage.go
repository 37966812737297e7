package rig

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const clockTicks = 100 // a second, of /proc/PID/stat

// Use is what one process has used.
type Use struct {
	CPU  float64 `json:"cpu_s"` // user and system
	RSS  int     `json:"rss_mb"`
	Peak int     `json:"peak_mb"`
}

// UseOf a process; false when it has ended.
func UseOf(pid string) (Use, bool) {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return Use{}, false
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64) // utime, stime: fields 14 and 15 of proc(5)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return Use{CPU: (user + system) / clockTicks, RSS: memory(pid, "VmRSS:"), Peak: memory(pid, "VmHWM:")}, true
}

// memory is a figure of /proc/PID/status, MB.
func memory(pid, name string) int {
	status, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), name)
	var kb int
	_, _ = fmt.Sscan(rest, &kb)
	return kb >> 10
}

// Usage is what every process has used since it began, by name.
func (r *Rig) Usage() (map[string]Use, error) {
	files, err := filepath.Glob(filepath.Join(r.Home, "run", "*.pid"))
	if err != nil {
		return nil, err
	}
	out := map[string]Use{}
	for _, f := range files {
		pid, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		if use, ok := UseOf(strings.TrimSpace(string(pid))); ok {
			out[strings.TrimSuffix(filepath.Base(f), ".pid")] = use
		}
	}
	return out, nil
}

// Load is the machine's load average over a minute: other programs' work makes times worthless.
func Load() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return -1
	}
	var load float64
	_, _ = fmt.Sscan(string(text), &load)
	return load
}

// Size of all files below a folder, bytes.
func Size(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil // what vanishes while it is counted counts nothing
	})
	return total
}
