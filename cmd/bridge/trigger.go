package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/printable"
	"mkio-bridge/internal/rule"
)

// triggerOptions are the argument and the flags of trigger.
type triggerOptions struct {
	event   string // KIND.STATE
	url     string // "": the webhook listener of the settings
	project string // "": the first of BRIDGE_PROJECTS, else sample
	name    string // the resource's names, joined by slashes; leading ones may be missing
	secret  string // "": the first of BRIDGE_WEBHOOK_SECRETS
	yes     bool   // send to another machine too
}

func triggerCommand(c *call) *cobra.Command {
	var o triggerOptions
	cmd := &cobra.Command{
		Use:   "trigger KIND.STATE",
		Short: "send a made-up delivery to a bridge, as MK.IO would",
		Long: "send a made-up delivery to a bridge, as MK.IO would\n\n" +
			"It is for a first event, and for testing consumers.\n\n" +
			"KIND.STATE is a kind and one of the states that MK.IO sends webhooks for, joined by a dot:\n\n" + triggeredList() + "\n\n" +
			"Deliveries with the same --name are about one resource. A bridge cannot distinguish them from real ones: if it polls the\n" +
			"project, it records the resource as Deleted, because MK.IO does not have it.\n\n" +
			"The exit code is 0 when the event is in the log, else 1.",
		Example: `  mkio-bridge trigger job.finished
  mkio-bridge trigger job.processing --project aurora-vod --name ladder-hd/ep-0417`,
		Args:              atMost(1),
		ValidArgsFunction: onlyFirst(fixed(triggeredEvents()...)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.event = strings.Join(args, "")
			conf, err := loadConfig()
			if err != nil {
				return usageError{err}
			}
			return trigger(cmd.Context(), conf, o, c.stdout)
		},
	}
	set := cmd.Flags()
	set.StringVar(&o.url, "url", "", "`URL` for deliveries to the bridge (default http://BRIDGE_LISTEN/webhooks/mkio)")
	set.StringVar(&o.project, "project", "", "`PROJECT` of the resource (default: the first of BRIDGE_PROJECTS, else sample)")
	set.StringVar(&o.name, "name", "", "`NAME` of the resource, with the names above it: TRANSFORM/JOB, PARENT-KIND/PARENT/OPERATION;\n"+
		"names above it that are missing are sample names (default: a new sample name)")
	set.StringVar(&o.secret, "secret", "", "webhook `SECRET` (default: the first of BRIDGE_WEBHOOK_SECRETS)")
	set.BoolVar(&o.yes, "yes", false, "send to a bridge on another machine too")
	return cmd
}

// trigger sends a made-up delivery to a bridge, and prints the response and what it means. The error is nil if the delivery
// is in the log.
func trigger(ctx context.Context, conf config, o triggerOptions, out io.Writer) error {
	kind, state, err := parseTriggered(o.event)
	if err != nil {
		return usageError{err}
	}
	key, err := o.key(conf, kind)
	if err != nil {
		return usageError{err}
	}
	target, err := o.target(conf)
	if err != nil {
		return usageError{err}
	}
	body, err := mkiofake.Sample(key, state, time.Now())
	if err != nil {
		return err
	}
	if lifecycle.WebhookUncertain(kind) {
		fmt.Fprintf(out, "MK.IO's documentation does not say for certain that it sends webhooks for %s.\n", kind)
	}
	fmt.Fprintf(out, "Sending to %s: %s %s is %s\n", target, kind, printable.Name(key.Project+"/"+strings.Join(key.Names(), "/")), state)
	response, err := postDelivery(ctx, target, cmp.Or(o.secret, conf.currentSecret()), body)
	if err != nil {
		return err
	}
	return response.explain(out, key)
}

// sampleName is the name of what a made-up delivery belongs to.
const sampleName = "sample"

// key returns the key of the resource that the delivery is about.
func (o triggerOptions) key(conf config, kind lifecycle.Kind) (lifecycle.Key, error) {
	project := o.project
	if project == "" {
		project = append(slices.Clone(conf.Projects), sampleName)[0]
	}
	names := []string{sampleName + "-" + strings.ToLower(rand.Text()[:8])}
	if o.name != "" {
		names = strings.Split(o.name, "/")
	}
	above := []string{string(lifecycle.LiveChannel), sampleName}[lifecycle.MaxDepth-kind.Depth():]
	if missing := kind.Depth() - len(names); missing > 0 {
		names = append(slices.Clone(above[:missing]), names...)
	}
	key, err := lifecycle.NewKey(kind, project, names...)
	if err != nil {
		return key, fmt.Errorf("--name %q: %w", o.name, err)
	}
	if _, _, ok := mkio.Path(key); !ok {
		return key, fmt.Errorf("MK.IO has no resource %s: check --project and --name", printable.Name(key.String()))
	}
	return key, nil
}

// target returns the URL for deliveries. One of another machine needs --yes, because the delivery is made up.
func (o triggerOptions) target(conf config) (string, error) {
	public := o.url
	if public == "" {
		public = conf.localWebhookURL()
	}
	target, err := rule.Address(public)
	if err != nil {
		return "", fmt.Errorf("--url: %w", err)
	}
	u, err := url.Parse(target)
	if err != nil {
		return "", err
	}
	if !o.yes && !loopback(net.JoinHostPort(u.Hostname(), "0")) {
		return "", fmt.Errorf("%s is not an address of this machine, and the delivery is made up: it becomes an event in the log of the bridge there. Add --yes to send it all the same", target)
	}
	return target, nil
}

// localWebhookURL returns the URL of the webhook listener, without its path, as it is reached from this machine.
func (c config) localWebhookURL() string {
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + dialAddress(c.Listen)
}

// postTimeout limits a delivery: it is longer than a bridge takes.
const postTimeout = 30 * time.Second

// postDelivery sends a delivery as MK.IO does, and returns the response.
func postDelivery(ctx context.Context, target, secret string, body []byte) (triggerResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return triggerResponse{}, usageError{err}
	}
	request.Header.Set("Content-Type", "application/json")
	if secret != "" {
		request.Header.Set("X-Webhook-Secret", secret)
	}
	response, err := http.DefaultTransport.RoundTrip(request) // follows no redirect: the secret is for this address
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return triggerResponse{}, err
		}
		return triggerResponse{}, fmt.Errorf("the bridge cannot be reached: %w: check that it runs, and set its address with --url or BRIDGE_LISTEN", err)
	}
	defer response.Body.Close()
	return readTriggerResponse(response), nil
}
