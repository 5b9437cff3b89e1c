package daemon

import (
	"log/slog"
	"time"

	"facerecd/capture"
	"facerecd/daemon/mqtt"
)

// tellStatus is a capture.Camera's OnStatus: it hands what the camera does, as
// the contract has it, to set, which must not block.
func tellStatus(camera string, set func(payload []byte), log *slog.Logger) func(capture.Status) {
	return func(s capture.Status) {
		payload, err := mqtt.CameraStatus{
			Time: time.Now(), Camera: camera, State: string(s.State), Code: s.Code, Hint: s.Hint, Since: s.Since,
		}.MarshalJSON()
		if err != nil {
			log.Error("cannot tell how the camera fares", "camera", camera, "err", err)
			return
		}
		set(payload)
	}
}
