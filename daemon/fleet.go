package daemon

import (
	"context"
	"strings"
	"time"

	"facerecd/daemon/api"
	"facerecd/daemon/fleet"
)

// buildFleet lets the daemon share its people. Without a good key it shares
// nothing, which the health says, and recognises whom it has.
func (d *Daemon) buildFleet(p *parts) {
	if d.Config.Fleet.KeyFile == "" {
		return
	}
	key, err := fleet.LoadKey(d.Config.Fleet.KeyFile)
	if err != nil {
		d.Log.Error("people are not shared: the fleet's key cannot be used", "err", err)
		d.health.keyless(err)
		return
	}
	codec, err := fleet.NewCodec(key)
	if err != nil { // LoadKey has checked
		d.health.keyless(err)
		return
	}
	first, _, _ := strings.Cut(d.Config.MQTT.Base, "/")
	line := p.publisher.Line()
	p.fleet = &fleet.Sync{
		Codec: codec, Prefix: first + "/_fleet", Log: d.Log,
		People:  &members{Roster: p.roster, Log: d.Log},
		Connect: func(ctx context.Context) (fleet.Conn, error) { return line.Conn(ctx) },
	}
	p.roster.OnChange = p.fleet.Changed
}

// keyless notes why there is no key.
func (h *health) keyless(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.noKey = err
}

// fleet is how sharing people fares, nil when the daemon shares with nobody. The
// caller holds mu.
func (h *health) fleet(wrong func(code string, since time.Time, hint string)) *api.FleetHealth {
	if h.noKey != nil {
		wrong("fleet_key", h.started, "people are shared with no other device: "+h.noKey.Error())
	}
	if h.parts.fleet == nil {
		return nil
	}
	s := h.parts.fleet.Status()
	if s.Err != nil {
		wrong("fleet_sync", s.ErrSince, "people are not shared: "+s.Err.Error())
	}
	if s.Reason != nil {
		wrong("fleet_refused", s.ReasonSince, "a record below _fleet at the broker was refused: "+s.Reason.Error()+"; who else may write there?")
	}
	return &api.FleetHealth{ID: s.Fleet, InStep: s.InStep, Published: s.Published, Taken: s.Taken, Stale: s.Stale, Refused: s.Refused}
}
