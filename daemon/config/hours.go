package config

import (
	"fmt"
	"strings"
	"time"
)

// Hours are spans of the day, by the clock on the wall.
type Hours []Span

// Span is a part of every day, in minutes after midnight: From 0..1439 up to,
// and without, To 1..1440. When To is the earlier one it ends on the next day.
type Span struct{ From, To int }

const day = 24 * 60

// Contains tells whether a time of day, as t's location shows it, is in one of
// the spans. It looks at the hands of the clock only: on the day when the clock
// is put back an hour comes twice, and counts both times.
func (h Hours) Contains(t time.Time) bool {
	now := t.Hour()*60 + t.Minute()
	for _, s := range h {
		if s.From < s.To && s.From <= now && now < s.To || s.From > s.To && (now >= s.From || now < s.To) {
			return true
		}
	}
	return false
}

// String writes them as the file may have them: 22:00-07:00 12:30-14:00.
func (h Hours) String() string {
	var spans []string
	for _, s := range h {
		spans = append(spans, fmt.Sprintf("%02d:%02d-%02d:%02d", s.From/60, s.From%60, s.To/60, s.To%60))
	}
	return strings.Join(spans, " ")
}

func (h *Hours) parse(text string) error {
	var all Hours
	for _, field := range strings.Fields(text) {
		begin, end, _ := strings.Cut(field, "-")
		from, ok := minute(begin)
		to, ok2 := minute(end)
		switch {
		case !ok || !ok2 || from == day:
			return fmt.Errorf("%q is not a part of the day such as 22:00-07:00", field)
		case from == to:
			return fmt.Errorf("%q ends as it begins: write 00:00-24:00 for the whole day", field)
		case to == 0:
			to = day
		}
		all = append(all, Span{from, to})
	}
	*h = all
	return nil
}

// minute reads 07:00, and 24:00 as the end of the day.
func minute(text string) (int, bool) {
	if text == "24:00" {
		return day, true
	}
	t, err := time.Parse("15:04", text)
	return t.Hour()*60 + t.Minute(), err == nil && len(text) == len("15:04")
}
