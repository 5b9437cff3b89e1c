package main

import (
	"regexp"
	"testing"

	"facerecd/cross/testkit"
)

func TestWhoMustBeEnrolledAgainForAnotherModelPackIsShown(t *testing.T) {
	t.Parallel()
	config, server, _ := configure(t)
	first := begin(t, nil, "run", "--config", config)
	first.says(t, "facerecd is ready")
	must(t, "enroll", "Barack", photo(t, "obama2"), photo(t, "obama3"), "--server", server)
	first.cancel()
	first.ends(t)

	second := begin(t, []string{"FACERECD_MODELS=" + testkit.OtherPack(t)}, "run", "--config", config)
	second.says(t, "facerecd is ready")
	want := regexp.MustCompile(`^ID +NAME +TEMPLATES +STALE +NOTIFY +ENROLLED\n\w{26} +Barack +2 +2 [^\n]+\n` +
		`2 templates are stale: another model pack made them, and they are not compared. Enrol these people again.\n$`)
	if got := must(t, "people", "--server", server); !want.MatchString(got) {
		t.Errorf("people:\n%s", got)
	}
	second.says(t, "templates of another model pack are not compared")
	findings := examine(t, exitOK, nil, config)
	if f := findings["daemon"]; f.State != warning || f.Detail != "foreign_templates: 2 templates were made by another model pack and are not compared; `facerecd people` shows whose: enrol these people again" {
		t.Errorf("doctor: %+v", f)
	}
}
