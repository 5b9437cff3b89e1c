// Package daemon is the running service: it joins capture, inference and
// match, and owns every goroutine of theirs.
//
// A frame's way: capture.Camera, mailbox, pipeline (detector, tracker,
// landmarks, embedding, decision), event log, outbox, MQTT. The HTTP port and
// the pipelines share one Roster of people and one model pack.
package daemon
