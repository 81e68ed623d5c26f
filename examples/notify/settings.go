package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/template"
	"time"
)

// settings are the flags, and the receiver's URL, which is a secret: with it anybody can write to the channel.
type settings struct {
	server, creds   string
	stream, durable string
	subjects        list
	all, discovered bool
	pending         int
	timeout         time.Duration
	waits           []time.Duration
	contentType     string
	text            *template.Template
	url             string // never logged
	deadSubject     string
	deadFile        string
}

// A list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

func parse(args []string, stderr io.Writer) (s settings, err error) {
	set := flag.NewFlagSet("notify", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&s.server, "nats", "nats://127.0.0.1:4222", "NATS servers, comma-separated")
	set.StringVar(&s.creds, "creds", "", "NATS credentials file")
	set.StringVar(&s.stream, "stream", "MKIO_EVENTS", "the bridge's log")
	set.StringVar(&s.durable, "durable", "notify", "name of the durable consumer, which stores what was delivered")
	set.Var(&s.subjects, "subject", "deliver events on this `subject`; may be repeated (default mkio.>)")
	set.BoolVar(&s.all, "all", false, "when the consumer is created: start with the oldest event, not with the next")
	set.BoolVar(&s.discovered, "discovered", false, "also deliver ….state.discovered events, of resources that existed before the bridge")
	set.IntVar(&s.pending, "pending", 16, "maximum events in flight; 1 keeps the order of the log")
	set.DurationVar(&s.timeout, "timeout", 10*time.Second, "timeout of a request")
	waits := set.String("waits", "1s,10s,1m,5m,15m,1h,3h,6h", "pauses between tries; after the last pause comes one more try, then the dead letter")
	set.StringVar(&s.contentType, "content-type", "application/json", "Content-Type of the body")
	file := set.String("template", "", "file with the body as a Go `template` over the CloudEvent (default: a message for Slack)")
	set.StringVar(&s.deadSubject, "dead-letter-subject", "", "`subject` of a stream to which dead letters are published")
	set.StringVar(&s.deadFile, "dead-letter-file", "", "`file` to which dead letters are appended, if there is no such stream")
	set.Usage = func() {
		fmt.Fprintln(stderr, "Usage: NOTIFY_URL=… notify [flags]    (or NOTIFY_URL_FILE: a file with the URL)")
		set.PrintDefaults()
	}
	if err := set.Parse(args); err != nil {
		return s, err
	}
	if set.NArg() > 0 {
		return s, fmt.Errorf("%q is not a flag: see notify -h", set.Arg(0))
	}
	if len(s.subjects) == 0 {
		s.subjects = list{"mkio.>"}
	}
	if s.pending < 1 || s.timeout <= 0 {
		return s, errors.New("-pending and -timeout must be above zero")
	}
	if (s.deadSubject == "") == (s.deadFile == "") {
		return s, errors.New("set where dead letters are stored: -dead-letter-subject or -dead-letter-file, only one of them")
	}
	if s.waits, err = durations(*waits); err != nil {
		return s, fmt.Errorf("-waits: %w", err)
	}
	if s.text, err = readTemplate(*file); err != nil {
		return s, fmt.Errorf("-template: %w", err)
	}
	s.url, err = secretURL()
	return s, err
}

func durations(v string) (ds []time.Duration, err error) {
	for part := range strings.SplitSeq(v, ",") {
		d, err := time.ParseDuration(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		ds = append(ds, d)
	}
	return ds, nil
}

// secretURL reads the receiver's URL. Its errors do not contain it.
func secretURL() (string, error) {
	v := os.Getenv("NOTIFY_URL")
	if file := os.Getenv("NOTIFY_URL_FILE"); file != "" {
		content, err := os.ReadFile(file) //nolint:gosec // the operator chooses the file
		if err != nil {
			return "", fmt.Errorf("NOTIFY_URL_FILE: %w", err)
		}
		v = strings.TrimSpace(strings.TrimPrefix(string(content), "\ufeff")) // some tools write a byte order mark
	}
	if u, err := url.Parse(v); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", errors.New("NOTIFY_URL, or the file that NOTIFY_URL_FILE names, must contain a URL like https://host/path")
	}
	return v, nil
}
