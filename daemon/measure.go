package daemon

import (
	"bytes"
	"os"
	"strconv"

	"facerecd/capture"
	"facerecd/daemon/event"
	"facerecd/daemon/metrics"
)

// measure writes GET /metrics. Nothing in it tells who was seen. From any
// goroutine.
func (d *Daemon) measure(page *metrics.Page) {
	h := d.Health()
	page.Gauge("facerecd_build_info", "Always 1; the version is in the label.", metrics.Sample{Value: 1, Labels: []string{"version", d.Version}})
	page.Gauge("facerecd_uptime_seconds", "Since the daemon started.", metrics.Number(h.Uptime))
	page.Gauge("facerecd_problems", "What is wrong now, as GET /healthz lists it.", metrics.Number(len(h.Checks)))

	d.health.mu.Lock()
	p := d.health.parts
	d.health.mu.Unlock()
	if p == nil {
		return
	}
	p.measureCameras(page)
	p.measureEvents(page)
	if p.strangers != nil {
		all, ignored := p.strangers.Count()
		page.Gauge("facerecd_strangers", "People who were seen, are not enrolled, and are remembered.",
			metrics.Sample{Value: float64(all - ignored), Labels: []string{"ignored", "no"}},
			metrics.Sample{Value: float64(ignored), Labels: []string{"ignored", "yes"}})
	}
	page.Gauge("facerecd_mqtt_connected", "1 while there is a connection to the broker.", truth(h.MQTT.Connected))
	page.Gauge("go_goroutines", "Goroutines.", metrics.Number(h.Process.Goroutines))
	page.Gauge("process_open_fds", "Open files, sockets and devices.", metrics.Number(h.Process.Descriptors))
	page.Gauge("process_resident_memory_bytes", "Memory, resident.", metrics.Number(h.Process.RSS))
	if n, ok := diskWrites(); ok {
		page.Counter("facerecd_disk_written_bytes_total", "What the system has written to the disk for facerecd, in whole blocks, since it started.", metrics.Number(n))
	}
}

func (p *parts) measureCameras(page *metrics.Page) {
	var up, fps, frames, searched, skipped, damaged, lost, reopened []metrics.Sample
	var took []metrics.Labelled
	for _, u := range p.units.list() {
		s, label := u.camera.Status(), []string{"camera", u.camera.Name}
		add := func(to *[]metrics.Sample, n metrics.Sample) {
			n.Labels = label
			*to = append(*to, n)
		}
		add(&up, truth(s.State == capture.Streaming))
		add(&fps, metrics.Number(u.meter.Rate()))
		add(&frames, metrics.Number(s.Frames))
		add(&searched, metrics.Number(u.pipeline.searched.Load()))
		add(&skipped, metrics.Number(u.camera.Box.Skipped()))
		add(&damaged, metrics.Number(s.Damaged))
		add(&lost, metrics.Number(s.Lost))
		add(&reopened, metrics.Number(s.Reopened))
		took = append(took, metrics.Labelled{Histogram: &u.pipeline.took, Labels: label})
	}
	page.Gauge("facerecd_camera_up", "1 while the camera streams.", up...)
	page.Gauge("facerecd_camera_fps", "Good frames a second, over the last five.", fps...)
	page.Counter("facerecd_camera_frames_total", "Good frames.", frames...)
	page.Counter("facerecd_camera_searched_frames_total", "Frames that were searched for faces; in the others nothing had changed.", searched...)
	page.Counter("facerecd_camera_skipped_frames_total", "Good frames that nobody had time to look at.", skipped...)
	page.Counter("facerecd_camera_damaged_frames_total", "Frames that came damaged.", damaged...)
	page.Counter("facerecd_camera_lost_frames_total", "Frames that never came.", lost...)
	page.Counter("facerecd_camera_reopened_total", "Times the camera was opened again after a failure.", reopened...)
	page.Histogram("facerecd_frame_seconds", "All that is computed for a frame.", took...)
}

func (p *parts) measureEvents(page *metrics.Page) {
	var recorded []metrics.Sample
	for _, t := range event.Types() {
		recorded = append(recorded, metrics.Sample{Value: float64(p.log.Recorded(t)), Labels: []string{"type", string(t)}})
	}
	var unstored uint64
	for _, u := range p.units.list() {
		unstored += u.pipeline.Lost()
	}
	waiting, size := p.store.Backlog()
	c := p.publisher.Counters()
	page.Counter("facerecd_events_total", "Events that were stored.", recorded...)
	page.Counter("facerecd_events_unstored_total", "Events that were given up because the store kept refusing them.", metrics.Number(unstored))
	page.Counter("facerecd_events_missed_total", "Events that watchers over HTTP were too slow for.", metrics.Number(p.log.Missed()))
	page.Gauge("facerecd_outbox_events", "Events that wait for the broker, or for the second after its acknowledgement to pass.", metrics.Number(waiting))
	page.Gauge("facerecd_outbox_bytes", "What they take.", metrics.Number(size))
	page.Counter("facerecd_outbox_dropped_total", "Events that went unpublished, ever, because too many waited or for too long.", metrics.Number(p.store.Dropped()))
	page.Counter("facerecd_mqtt_published_total", "Events handed to the broker, repeats included.", metrics.Number(c.Published))
	page.Counter("facerecd_mqtt_acknowledged_total", "Events that the broker has acknowledged, repeats included.", metrics.Number(c.Acked))
	page.Counter("facerecd_mqtt_reconnects_total", "Connections to the broker after the first.", metrics.Number(c.Reconnects))
	page.Counter("facerecd_store_commits_total", "Transactions of the store, each with a sync of the disk.", metrics.Number(p.store.Commits()))
	page.Histogram("facerecd_event_latency_seconds", "From the frame, and from the end of inference, to the broker's PUBACK, of recognized and unknown.",
		metrics.Labelled{Histogram: &p.latency.frame, Labels: []string{"from", "frame"}},
		metrics.Labelled{Histogram: &p.latency.decided, Labels: []string{"from", "inference"}})
}

func truth(is bool) metrics.Sample {
	if is {
		return metrics.Number(1)
	}
	return metrics.Number(0)
}

// diskWrites is what this process caused to be written: proc_pid_io(5).
func diskWrites() (bytesWritten int64, ok bool) {
	data, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(data) {
		if value, found := bytes.CutPrefix(line, []byte("write_bytes: ")); found {
			n, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
