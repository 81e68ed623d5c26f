package main

import (
	"context"
	"log/slog"
	"os"
	"slices"

	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/status"
)

// instanceName returns the name of this bridge: that of its host, which in Kubernetes is the pod's.
func instanceName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// newStatus returns the reader of the installation's status.
func (b *bridge) newStatus() *status.Reader {
	return status.NewReader(status.Config{
		JS: b.js, Log: b.events, NATS: doctor.NATS{Domain: b.config.NatsDomain, Streams: b.streams()}, Writes: true,
		Motion: b.publisher.Motion, Projects: b.config.Projects, Advise: findingAdvice, Local: b.localStatus,
	})
}

// localStatus describes this bridge.
func (b *bridge) localStatus(ctx context.Context) *status.Local {
	l := &status.Local{Instance: instanceName(), Version: version(), NATSConnected: b.nats.IsConnected(), Sequence: b.publisher.Horizon(), Leads: []string{}}
	if err := b.ready(ctx); err != nil {
		l.Reason = err.Error()
	}
	l.Ready = l.Reason == ""
	if b.poller != nil {
		l.Leads = b.poller.Leads()
	}
	return l
}

// noStatus reports whether a finding of the doctor means that the status cannot be read, or that there is none yet.
func noStatus(code doctor.Code) bool {
	switch code {
	case doctor.NATSUnreachable, doctor.EmbeddedNotRunning, doctor.EmbeddedRefused, doctor.JetStreamUnavailable, doctor.StreamMissing,
		doctor.StreamUnlimited, doctor.StreamUnavailable, doctor.StreamMismatch:
		return true
	}
	return false
}

// verdicts returns the verdicts of the status, as /v1/status has them, as findings.
func (c *call) verdicts(ctx context.Context, conf config) []finding {
	nc, js, err := c.connect(ctx, conf, slog.New(slog.DiscardHandler))
	if err != nil {
		return []finding{{"status", string(doctor.Warning), "not checked: " + err.Error(), ""}}
	}
	defer nc.Close()
	log := eventlog.New(js, event.NewNames(conf.SubjectPrefix))
	s := status.NewReader(status.Config{
		JS: js, Log: log, NATS: doctor.NATS{Domain: conf.NatsDomain, Streams: conf.streams()},
		Motion: log.Motion, Projects: conf.Projects, Advise: findingAdvice,
	}).Status(ctx)
	return verdictFindings(s)
}

// verdicts returns the verdicts of this bridge's status as findings.
func (b *bridge) verdicts(ctx context.Context) []finding {
	return verdictFindings(b.status.Status(ctx))
}

// verdictFindings returns the problems of a status as findings, and for each verdict without one that it is ok.
func verdictFindings(s status.Status) []finding {
	if s.Log.Last == 0 && !slices.ContainsFunc(s.Projects, func(p status.Project) bool { return p.Polled }) {
		return []finding{{"status", string(doctor.OK), "nothing to judge: no bridge has polled or recorded anything yet", ""}}
	}
	var all []finding
	for _, v := range []struct {
		check   string
		verdict status.Verdict
	}{{"status: healthy", s.Verdicts.Healthy}, {"status: complete", s.Verdicts.Complete}, {"status: late", s.Verdicts.Late}} {
		if len(v.verdict.Problems) == 0 {
			all = append(all, finding{v.check, string(doctor.OK), v.verdict.Reason, ""})
		}
		for _, p := range v.verdict.Problems {
			all = append(all, finding{v.check, string(levelOf(p.Level)), p.Check + ": " + p.Reason, p.Do})
		}
	}
	return all
}

// levelOf returns the doctor's level of a problem.
func levelOf(l status.Level) doctor.Level {
	switch l {
	case status.Critical:
		return doctor.Failed
	case status.Attention:
		return doctor.Warning
	case status.OK:
	}
	return doctor.OK
}
