package daemon

import (
	"facerecd/daemon/api"
)

// settings is what of the configuration in force the page shows, in the file's
// order. Nothing of it is a secret.
func (d *Daemon) settings(p *parts) []api.Setting {
	d.reload.mu.Lock()
	c := d.reload.running
	if d.reload.layers == nil { // before the start, after the end
		c = d.Config
	}
	d.reload.mu.Unlock()
	policy := p.policy.Load()
	broker := c.MQTT.Broker
	if broker == "" {
		broker = c.MQTT.EmbeddedListen
	}
	return []api.Setting{
		{Key: "device", Value: c.Device},
		{Key: "keep_crops", Value: c.KeepCrops},
		{Key: "detector", Value: c.Detector},
		{Key: "accelerator", Value: c.Accelerator},
		{Key: "http.listen", Value: c.HTTP.Listen},
		{Key: "mqtt.broker", Value: broker},
		{Key: "mqtt.discovery", Value: c.MQTT.Discovery},
		{Key: "mqtt.commands", Value: c.MQTT.Commands},
		{Key: "mqtt.images", Value: c.MQTT.Images},
		{Key: "match.threshold", Value: policy.Threshold}, // the pack's own, unless the file has another
		{Key: "match.margin", Value: policy.Margin},
		{Key: "match.min_seen", Value: c.Match.MinSeen},
		{Key: "history.days", Value: c.History.Days},
		{Key: "history.embeddings", Value: c.History.Embeddings},
		{Key: "history.pictures", Value: c.History.Pictures},
		{Key: "unknown.remember", Value: c.Unknown.Remember},
		{Key: "unknown.pictures", Value: c.Unknown.Pictures},
		{Key: "unknown.days", Value: c.Unknown.Days},
		{Key: "log.faces", Value: c.Log.Faces},
	}
}
