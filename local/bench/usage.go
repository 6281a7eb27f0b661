package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Linux counts CPU time in /proc in ticks of 10 ms, on every architecture.
const ticksPerSecond = 100

// usage is the CPU time that processes have used so far.
type usage struct {
	cpu   map[string]time.Duration // by program
	host  time.Duration            // all cores, all processes
	taken time.Time
}

// members are the process ids of each program, without their descendants.
type members map[string][]int

// driver is the name under which the load itself is counted.
const driver = "load driver"

// measure reads the CPU time of programs with all their descendants, and that of this program. The time of descendants that
// have ended is included in their parents' sums.
func measure(programs members) usage {
	u := usage{cpu: map[string]time.Duration{}, host: hostBusy(), taken: time.Now()}
	all := processes()
	for name, pids := range programs {
		for _, pid := range pids {
			for _, member := range all.family(pid) {
				u.cpu[name] += all[member].cpu
			}
		}
	}
	var self syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &self) == nil {
		u.cpu[driver] = time.Duration(self.Utime.Nano() + self.Stime.Nano())
	}
	return u
}

// since is the usage since an earlier measurement: milliseconds an order by program, and how many cores other processes kept
// busy.
func (u usage) since(before usage, orders int) (perOrder map[string]float64, others float64) {
	perOrder, ours := map[string]float64{}, time.Duration(0)
	for name, cpu := range u.cpu {
		used := max(0, cpu-before.cpu[name])
		ours += used
		if orders > 0 {
			perOrder[name] = used.Seconds() * 1000 / float64(orders)
		}
	}
	return perOrder, max(0, (u.host-before.host-ours).Seconds()/u.taken.Sub(before.taken).Seconds())
}

// snapshot is all processes of the machine at about one moment, by id.
type snapshot map[int]stat

// stat is what a line of /proc/PID/stat says.
type stat struct {
	parent int
	cpu    time.Duration // its own, and that of its children that have ended
}

// processes reads all of them at once: a search for each program's descendants would take as long as the measurement.
func processes() snapshot {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is valid, so there is no error
	all := make(snapshot, len(files))
	for _, file := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		text, gone := os.ReadFile(file)
		if err == nil && gone == nil {
			all[pid] = statIn(string(text))
		}
	}
	return all
}

// statIn reads a line of /proc/PID/stat. Its second field is a name in parentheses and may hold anything. The parent is
// the fourth; utime, stime, cutime and cstime are the fields 14 to 17.
func statIn(line string) (s stat) {
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(fields) < 15 {
		return s
	}
	s.parent, _ = strconv.Atoi(fields[1])
	ticks := 0
	for _, f := range fields[11:15] {
		n, _ := strconv.Atoi(f)
		ticks += n
	}
	s.cpu = time.Duration(ticks) * time.Second / ticksPerSecond
	return s
}

// family lists a process and all its descendants.
func (all snapshot) family(pid int) []int {
	members := []int{pid}
	for i := 0; i < len(members); i++ {
		for child, s := range all {
			if s.parent == members[i] && child != pid {
				members = append(members, child)
			}
		}
	}
	return members
}

// hostBusy is the time in which cores were not idle, summed over all cores.
func hostBusy() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	ticks := 0
	for i, f := range strings.Fields(strings.TrimPrefix(first, "cpu")) {
		if i == 3 || i == 4 || i > 7 { // idle, waiting for a disk; guests are in user time already
			continue
		}
		n, _ := strconv.Atoi(f)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}

// memory is how many MB each program has in memory, with its descendants. Pages that several processes share, such as
// PostgreSQL's buffers, are counted once (PSS).
func memory(programs members) map[string]float64 {
	mb, all := map[string]float64{}, processes()
	for name, pids := range programs {
		for _, pid := range pids {
			for _, member := range all.family(pid) {
				mb[name] += float64(residentKB(member)) / 1024
			}
		}
	}
	return mb
}

func residentKB(pid int) (kb int) {
	folder := filepath.Join("/proc", strconv.Itoa(pid))
	for _, from := range []struct{ file, field string }{{"smaps_rollup", "Pss"}, {"status", "VmRSS"}} {
		if _, err := fmt.Sscan(field(filepath.Join(folder, from.file), from.field), &kb); err == nil {
			return kb
		}
	}
	return 0
}

// largest keeps the larger memory of each program.
func largest(so, now map[string]float64) map[string]float64 {
	if so == nil {
		so = map[string]float64{}
	}
	for name, mb := range now {
		so[name] = max(so[name], mb)
	}
	return so
}
