package main

import (
	"fmt"
	"strings"
)

// manual is facerecd(1), in the macros of man(7).
func (t tree) manual(version, date string) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH FACERECD 1 %s %s\n", quotedRoff(date), quotedRoff("facerecd "+version))
	b.WriteString(".SH NAME\nfacerecd \\- face recognition for local cameras\n.SH SYNOPSIS\n.B facerecd\n.I command\n[\\fIflags\\fR]\n")
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", roff(t.about))
	b.WriteString(`As a service it reads
.I /etc/facerecd/facerecd.yaml
(see
.BR facerecd.yaml (5)),
and the other commands talk to it over HTTP on port 4000.
.PP
.RS
.nf
systemctl start facerecd
facerecd enroll ana ana1.jpg ana2.jpg
facerecd watch
.fi
.RE
.SH COMMANDS
`)
	for _, c := range t.commands {
		fmt.Fprintf(&b, ".SS %s\n", quotedRoff("facerecd "+c.usage))
		for i, paragraph := range c.about {
			if i > 0 {
				b.WriteString(".PP\n")
			}
			fmt.Fprintf(&b, "%s\n", roff(paragraph))
		}
		for _, e := range append(c.args[:len(c.args):len(c.args)], c.flags...) {
			if e.name == "--help" {
				continue
			}
			b.WriteString(".TP\n.B ")
			if e.short != "" {
				fmt.Fprintf(&b, "%s, ", roff(e.short))
			}
			b.WriteString(roff(e.name))
			if e.value != "" {
				fmt.Fprintf(&b, "=\\fI%s\\fR", roff(e.value))
			}
			fmt.Fprintf(&b, "\n%s\n", roff(e.help))
		}
	}
	b.WriteString(`.SH EXIT STATUS
.TP
.B 0
It worked.
.TP
.B 1
It did not; the message says why.
.TP
.B 64
The command line is wrong.
.TP
.B 78
The configuration is wrong. The service is not started again until somebody does.
.SH ENVIRONMENT
Every key of the configuration can be set by a variable, which wins over the file:
.B FACERECD_MQTT_BROKER
for
.IR mqtt.broker .
.SH FILES
.TP
.I /etc/facerecd/facerecd.yaml
The configuration.
.TP
.I /etc/facerecd/token
What callers from other machines must send, once
.I http.token_file
names this file.
.TP
.I /var/lib/facerecd
People, their templates, and events: biometric data, for the service alone.
.TP
.I /usr/lib/facerecd
The models, and the runtime that computes them.
.SH SEE ALSO
.BR facerecd.yaml (5),
.BR mosquitto_sub (1),
.BR journalctl (1)
`)
	return b.String()
}

// configManual is facerecd.yaml(5): the sample file explains each key.
func configManual(sample, version, date string) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH FACERECD.YAML 5 %s %s\n", quotedRoff(date), quotedRoff("facerecd "+version))
	b.WriteString(`.SH NAME
facerecd.yaml \- configuration of facerecd
.SH SYNOPSIS
.I /etc/facerecd/facerecd.yaml
.SH DESCRIPTION
Read when the service starts. A key that does not exist, and a value that cannot work, are errors: the service then ends
with status 78 and one line for each in the journal. This is the file as installed, every key with its default:
.PP
.nf
.ft CW
`)
	for line := range strings.Lines(sample) {
		b.WriteString(roff(strings.TrimRight(line, "\n")) + "\n")
	}
	b.WriteString(".ft\n.fi\n.SH SEE ALSO\n.BR facerecd (1)\n")
	return b.String()
}

// roff makes text mean itself, at the start of a line too.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`).Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

func quotedRoff(s string) string { return `"` + strings.ReplaceAll(roff(s), `"`, `\(dq`) + `"` }
