package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
)

// checkMKIO checks the API as a whole, and then each project. js may be nil.
func (d *doctor) checkMKIO(ctx context.Context, js jetstream.JetStream) {
	reached := d.checkReachable(ctx)
	recorded := d.checkIdentity(ctx, js)
	if !d.checkToken() || !reached {
		return
	}
	client, err := d.conf.client(nil)
	if err != nil {
		d.fail("MK.IO", reason(err), "correct BRIDGE_MKIO_URL")
		return
	}
	for _, project := range d.checkProjects(ctx, client) {
		d.checkProjectIdentity(ctx, client, recorded, project)
		d.checkRights(ctx, client, project)
		d.checkRule(ctx, client, js, project)
	}
}

// checkReachable asks the API's public probe, without the token.
func (d *doctor) checkReachable(ctx context.Context) bool {
	const check = "MK.IO"
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(d.conf.MkioURL, "/")+"/api/ready", nil)
	if err != nil {
		d.fail(check, reason(err), "correct BRIDGE_MKIO_URL")
		return false
	}
	way, err := d.conf.wayToMKIO()
	if err != nil {
		d.fail(check, reason(err), "correct BRIDGE_MKIO_CA")
		return false
	}
	client := http.Client{
		Transport:     way,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		d.fail(check, reason(err), "check BRIDGE_MKIO_URL, and the way there: name resolution, proxy, firewall")
		return false
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode/100 == 3:
		d.fail(check, fmt.Sprintf("%s leads elsewhere (%s)", d.conf.MkioURL, response.Status), "set BRIDGE_MKIO_URL to where it leads")
		return false
	case response.StatusCode >= http.StatusInternalServerError:
		d.warn(check, d.conf.MkioURL+" says that it is not ready ("+response.Status+")", "wait; the bridge does too")
	default:
		d.ok(check, d.conf.MkioURL+" answers")
	}
	return true
}

// tokenSoon is how long before the end of the token the doctor warns.
const tokenSoon = 7 * 24 * time.Hour

// checkToken says whether there is one worth trying.
func (d *doctor) checkToken() bool {
	const check, do = "API token", "give BRIDGE_MKIO_TOKEN another; its file is read again without a restart"
	if !d.conf.polls() {
		d.warn(check, "there is none: what no webhook tells, and what one loses, is not found", "set BRIDGE_MKIO_TOKEN")
		return false
	}
	end, ok := mkio.TokenExpiry(d.conf.MkioToken.value())
	left := time.Until(end)
	switch {
	case !ok:
		d.ok(check, "it does not say when it ends")
	case left <= 0:
		d.fail(check, "it ended "+end.Format(time.RFC3339), do)
	case left < tokenSoon:
		d.warn(check, "it ends soon, "+end.Format(time.RFC3339), do)
	default:
		d.ok(check, "it ends "+end.Format(time.RFC3339))
	}
	return !ok || left > 0
}

// checkProjects returns the projects that can be asked.
func (d *doctor) checkProjects(ctx context.Context, client *mkio.Client) []string {
	if len(d.conf.Projects) == 0 {
		ctx, cancel := context.WithTimeout(ctx, checkTime)
		defer cancel()
		found, err := projectsOf(ctx, d.conf, client)
		if err != nil {
			d.fail("projects", reason(err), adviceOn(err, "name them in BRIDGE_PROJECTS, or give the token the right to see them"))
			return found
		}
		d.ok("projects", "MK.IO accepts the token, which sees "+printable.Name(strings.Join(found, ", ")))
		return found
	}
	var usable []string
	for _, project := range d.conf.Projects {
		if d.checkProject(ctx, client, project) {
			usable = append(usable, project)
		}
	}
	return usable
}

func (d *doctor) checkProject(ctx context.Context, client *mkio.Client, name string) bool {
	check := "project " + printable.Name(name)
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	project, err := client.Project(ctx, mkio.Urgent, name)
	switch {
	case mkio.StatusOf(err) == http.StatusForbidden:
		d.warn(check, reason(err), "give the token the right to read the project: without it a deletion cannot be told from a project out of sight")
		return true
	case mkio.IsNotFound(err):
		d.fail(check, reason(err), "correct its name in BRIDGE_PROJECTS (case counts), or give the token rights in it")
		return false
	case err != nil:
		d.fail(check, reason(err), adviceOn(err, "try again later"))
		return false
	case !project.Active:
		d.warn(check, "it is not active", "take it out of BRIDGE_PROJECTS, or activate it")
	default:
		d.ok(check, "MK.IO accepts the token, which sees the project")
	}
	return true
}

// checkRights tries to read a row of every list that is polled.
func (d *doctor) checkRights(ctx context.Context, client *mkio.Client, project string) {
	polled := d.conf.kindsToPoll()
	parents := map[lifecycle.Kind]*lifecycle.Key{lifecycle.LiveOutput: nil, lifecycle.ScheduledOperation: nil}
	for _, list := range mkio.Lists(project, polled) {
		page := d.checkList(ctx, client, list)
		for _, row := range page.Rows {
			if below, ok := mkio.ListBelow(row.Key); ok {
				parents[below.Kinds[0]] = &row.Key
			}
		}
	}
	for _, kind := range polled {
		parent, below := parents[kind]
		switch {
		case !below:
		case parent == nil:
			d.ok(rightOf(project, []lifecycle.Kind{kind}), "not tried: nothing was seen that it could lie below")
		default:
			list, _ := mkio.ListBelow(*parent)
			d.checkList(ctx, client, list)
		}
	}
}

func rightOf(project string, of []lifecycle.Kind) string {
	return "right to read " + kinds(of).String() + " in " + printable.Name(project)
}

func (d *doctor) checkList(ctx context.Context, client *mkio.Client, list mkio.List) mkio.Page {
	check := rightOf(list.Project, list.Kinds)
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	page, err := client.Probe(ctx, list)
	switch {
	case err == nil:
		d.ok(check, "the token has it")
	case mkio.StatusOf(err) == http.StatusForbidden:
		d.fail(check, reason(err), "give the token "+list.Right()+" in this project, or leave the kind out of BRIDGE_KINDS")
	default:
		d.fail(check, reason(err), adviceOn(err, "try again later, or leave the kind out of BRIDGE_KINDS"))
	}
	return page
}

// adviceOn says what to do about an error of MK.IO's; otherwise for one that is not of the token or the limits.
func adviceOn(err error, otherwise string) string {
	switch mkio.StatusOf(err) {
	case http.StatusUnauthorized:
		return "the token is wrong, has ended or was revoked: give BRIDGE_MKIO_TOKEN another"
	case http.StatusTooManyRequests:
		return "others use up the request limit: lower BRIDGE_POLL_RATE, or theirs"
	}
	return otherwise
}
