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

// checkMKIO checks the API as a whole, and then each project.
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
		x.report(failed("MK.IO", reason(err), MKIOAddressWrong))
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

// checkReachable asks the API's public probe, without the token.
func (x *examination) checkReachable(ctx context.Context) bool {
	const check = "MK.IO"
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(x.MKIO.URL, "/")+"/api/ready", nil)
	if err != nil {
		x.report(failed(check, reason(err), MKIOAddressWrong))
		return false
	}
	way, err := x.MKIO.Way()
	if err != nil {
		x.report(failed(check, reason(err), MKIOTrustWrong))
		return false
	}
	client := http.Client{Transport: way, CheckRedirect: noRedirects}
	response, err := client.Do(request)
	if err != nil {
		x.report(failed(check, reason(err), MKIOUnreachable))
		return false
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode/100 == 3:
		x.report(failed(check, fmt.Sprintf("%s leads elsewhere (%s)", x.MKIO.URL, response.Status), MKIOElsewhere))
		return false
	case response.StatusCode >= http.StatusInternalServerError:
		x.report(warning(check, x.MKIO.URL+" says that it is not ready ("+response.Status+")", MKIOUnready))
	default:
		x.report(ok(check, x.MKIO.URL+" answers"))
	}
	return true
}

// judgeToken judges the token by what it says of itself, and also says whether there is one worth trying.
func (x *examination) judgeToken() (f Finding, usable bool) {
	const check = "API token"
	if x.MKIO.Token == "" {
		return warning(check, "there is none: what no webhook tells, and what one loses, is not found", TokenMissing), false
	}
	end, known := mkio.TokenExpiry(x.MKIO.Token)
	switch left := end.Sub(x.Now()); {
	case !known:
		return ok(check, "it does not say when it ends"), true
	case left <= 0:
		return failed(check, "it ended "+end.Format(time.RFC3339), TokenEnds), false
	case left < mkio.TokenSoon:
		return warning(check, "it ends soon, "+end.Format(time.RFC3339), TokenEnds), true
	}
	return ok(check, "it ends "+end.Format(time.RFC3339)), true
}

// checkProjects checks the configured projects, or finds all that there are. It returns those that can be checked further.
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

// findProjects returns the projects that the token sees.
func (x *examination) findProjects(ctx context.Context) []string {
	const check = "projects"
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	found, err := x.client.AllActive(ctx)
	if err != nil {
		x.report(failed(check, reason(err), ProjectsUnknown).withCause(err))
		return found
	}
	x.report(ok(check, "MK.IO accepts the token, which sees "+printable.Name(strings.Join(found, ", "))))
	return found
}

// checkProject checks that the token sees a project, and also says whether the project can be checked further.
func (x *examination) checkProject(ctx context.Context, name string) (f Finding, usable bool) {
	check := "project " + printable.Name(name)
	ctx, cancel := context.WithTimeout(ctx, checkTime)
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
		return warning(check, "it is not active", ProjectInactive), true
	}
	return ok(check, "MK.IO accepts the token, which sees the project"), true
}
