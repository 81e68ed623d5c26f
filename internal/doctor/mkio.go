package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
)

// checkMKIO checks the API, the token, and then each project.
func (x *examination) checkMKIO(ctx context.Context) {
	reached := x.checkReachable(ctx)
	x.checkIdentity(ctx)
	token, usable := x.judgeToken()
	x.report(token)
	if !usable || !reached {
		return
	}
	var err error
	if x.client, err = x.MKIO.Client(); err != nil {
		x.report(failed("MK.IO", reason(err), MKIOAddressInvalid))
		return
	}
	for _, project := range x.checkProjects(ctx) {
		if ctx.Err() != nil {
			return
		}
		x.checkProjectIdentity(ctx, project)
		x.checkRights(ctx, project)
		x.checkRule(ctx, project)
	}
}

// checkReachable requests the API's public readiness probe, without the token.
func (x *examination) checkReachable(ctx context.Context) bool {
	const check = "MK.IO"
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(x.MKIO.URL, "/")+"/api/ready", nil)
	if err != nil {
		x.report(failed(check, reason(err), MKIOAddressInvalid))
		return false
	}
	transport, err := x.MKIO.Transport()
	if err != nil {
		x.report(failed(check, reason(err), MKIOCAInvalid))
		return false
	}
	client := http.Client{Transport: transport, CheckRedirect: noRedirects}
	response, err := client.Do(request)
	if err != nil {
		x.report(failed(check, reason(err), MKIOUnreachable))
		return false
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode/100 == 3:
		x.report(failed(check, fmt.Sprintf("%s redirects (%s)", x.MKIO.URL, response.Status), MKIORedirects))
		return false
	case response.StatusCode >= http.StatusInternalServerError:
		x.report(warning(check, x.MKIO.URL+" is not ready ("+response.Status+")", MKIONotReady))
	default:
		x.report(ok(check, x.MKIO.URL+" responds"))
	}
	return true
}

// judgeToken judges the token by its claims, and reports whether it may be valid.
func (x *examination) judgeToken() (f Finding, usable bool) {
	const check = "API token"
	if x.MKIO.Token == "" {
		return warning(check, "not set: changes without a webhook, and lost deliveries, are not found", TokenMissing), false
	}
	end, _ := mkio.TokenExpiry(x.MKIO.Token)
	f = JudgeToken(check, describeToken(x.MKIO.Token), mkio.TokenTypeOf(x.MKIO.Token), end, x.Now())
	return f, f.Level != Failed
}

// JudgeToken judges a token by its type ("": not known) and expiry (zero: not known). about describes it.
func JudgeToken(check, about string, kind mkio.TokenType, end, now time.Time) Finding {
	expires := "no expiry in the token"
	if !end.IsZero() {
		expires = "expires " + end.Format(time.RFC3339)
	}
	switch left := end.Sub(now); {
	case !end.IsZero() && left <= 0:
		return failed(check, "expired "+end.Format(time.RFC3339)+"; "+about, TokenExpires)
	case kind == mkio.TokenLogin, kind == mkio.TokenEphemeral:
		return warning(check, "short-lived, "+expires+"; "+about, TokenShortLived)
	case !end.IsZero() && left < mkio.TokenExpiresSoon:
		return warning(check, "expires soon, "+end.Format(time.RFC3339)+"; "+about, TokenExpires)
	}
	return ok(check, expires+"; "+about)
}

// describeToken names a token's organisation and type.
func describeToken(token string) string {
	organisation, kind := mkio.TokenOrganisation(token), string(mkio.TokenTypeOf(token))
	if organisation == "" {
		organisation = "not named in the token"
	}
	if kind == "" {
		kind = "not named in the token"
	}
	return "organisation " + printable.Name(organisation) + ", type " + kind
}

// checkProjects checks the configured projects, or lists all. It returns those that can be checked further.
func (x *examination) checkProjects(ctx context.Context) []string {
	if len(x.MKIO.Projects) == 0 {
		return x.findProjects(ctx)
	}
	var all []string
	for _, project := range x.MKIO.Projects {
		f, usable := x.checkProject(ctx, project)
		x.report(f)
		if usable {
			all = append(all, project)
		}
	}
	return all
}

// findProjects returns the active projects that the token can see.
func (x *examination) findProjects(ctx context.Context) []string {
	const check = "projects"
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	found, err := x.client.ActiveProjectNames(ctx)
	if err != nil {
		x.report(failed(check, reason(err), ProjectsUnknown).withCause(err))
		return found
	}
	x.report(ok(check, "MK.IO accepts the token, which can see "+printable.Name(strings.Join(found, ", "))))
	return found
}

// checkProject checks that the token can see a project, and reports whether the project can be checked further.
func (x *examination) checkProject(ctx context.Context, name string) (f Finding, usable bool) {
	check := "project " + printable.Name(name)
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	project, err := x.client.Project(ctx, mkio.Urgent, name)
	switch {
	case mkio.StatusOf(err) == http.StatusForbidden:
		return warning(check, reason(err), ProjectUnreadable), true
	case mkio.IsNotFound(err):
		return failed(check, reason(err), ProjectMissing), false
	case err != nil:
		return failed(check, reason(err), MKIOFailed).withCause(err), false
	case !project.Active:
		return warning(check, "not active", ProjectInactive), true
	}
	return ok(check, "MK.IO accepts the token, which can see the project"), true
}
