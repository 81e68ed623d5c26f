package mkio

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/lifecycle"
)

// sameFiles checks that a table has a row for every file of a directory below testdata, so that no fixture goes unread.
func sameFiles[V any](t *testing.T, dir string, table map[string]V) {
	t.Helper()
	var files []string
	for name := range readAll(t, dir+"/*.json") {
		files = append(files, strings.TrimSuffix(filepath.Base(name), ".json"))
	}
	slices.Sort(files)
	if rows := slices.Sorted(maps.Keys(table)); !slices.Equal(files, rows) {
		t.Errorf("%s has %v, the table %v", dir, files, rows)
	}
}

// responding returns a client of an MK.IO that responds to everything with a file and a status.
func responding(t *testing.T, file string, status int) *Client {
	t.Helper()
	return newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(readFile(t, file))
	})
}

func listOf(t *testing.T, kind lifecycle.Kind) List {
	t.Helper()
	parents := map[lifecycle.Kind]lifecycle.Kind{lifecycle.LiveOutput: lifecycle.LiveEvent, lifecycle.ScheduledOperation: lifecycle.LiveAPIEvent}
	if parent, ok := parents[kind]; ok {
		key, _ := lifecycle.NewKey(parent, "harbor-live", "parent")
		l, _ := ListBelow(key)
		return l
	}
	kinds := []lifecycle.Kind{kind}
	if slices.Contains(liveKinds, kind) {
		kinds = liveKinds
	}
	return Lists("aurora-vod", kinds)[0]
}

// Every record of the fixtures is read: its key, its state in quotes if it has one, its provisioning state and its errors.
func TestRecordsOfTheFixtures(t *testing.T) {
	const job = "job aurora-vod/ladder-hd/"
	tests := map[string]struct {
		kind lifecycle.Kind
		want string // "": no resource of the kind
	}{
		"asset":                       {lifecycle.Asset, "asset aurora-vod/ep-0417-src"},
		"content-key-policy":          {lifecycle.ContentKeyPolicy, "content-key-policy aurora-vod/drm-family"},
		"content":                     {lifecycle.Content, `content aurora-vod/main-feed "Inactive"`},
		"destination":                 {lifecycle.Destination, `destination aurora-vod/playout-a "Inactive"`},
		"job.canceled":                {lifecycle.Job, job + `ep-0419 "Canceled"`},
		"job.canceling":               {lifecycle.Job, job + `ep-0419 "Canceling"`},
		"job.error":                   {lifecycle.Job, job + `ep-0418 "Error" The input holds no decodable video track.`},
		"job.finished":                {lifecycle.Job, job + `ep-0417 "Finished"`},
		"job.finished.no-start-time":  {lifecycle.Job, `job aurora-vod/to-mp4/clip-22 "Finished"`},
		"job.processing":              {lifecycle.Job, job + `ep-0417 "Processing"`},
		"job.processing.progress":     {lifecycle.Job, job + `ep-0417 "Processing"`},
		"job.queued":                  {lifecycle.Job, job + `ep-0417 "Queued"`},
		"job.recording":               {lifecycle.Job, `job aurora-vod/record-clip/cup-final-replay "Processing"`},
		"job.scheduled":               {lifecycle.Job, job + `ep-0417 "Scheduled"`},
		"live-channel":                {lifecycle.LiveChannel, `live-channel aurora-vod/news-247 "Running"`},
		"live-event":                  {lifecycle.LiveAPIEvent, `live-api-event aurora-vod/cup-final "Starting"`},
		"live-event.unable-to-start":  {lifecycle.LiveAPIEvent, `live-api-event aurora-vod/cup-plate "UnableToStart" The template input does not match the configured inputs.`},
		"live-output":                 {lifecycle.LiveOutput, `live-output harbor-live/parent/regatta-dvr "Running" Succeeded`},
		"media-live-event":            {lifecycle.LiveEvent, `live-event aurora-vod/regatta-cam1 "Running" Succeeded`},
		"project":                     {lifecycle.Job, ""},
		"scheduled-operation":         {lifecycle.ScheduledOperation, `scheduled-operation harbor-live/live-api-event/parent/kickoff-window "Accepted"`},
		"scheduled-operation.errored": {lifecycle.ScheduledOperation, `scheduled-operation harbor-live/live-api-event/parent/plate-window "Errored" The live event could not be started.`},
		"source":                      {lifecycle.Source, `source aurora-vod/truck-a "Active"`},
		"static-multiview-channel":    {lifecycle.StaticMultiviewChannel, `static-multiview-channel aurora-vod/quad-wall "Stopped"`},
		"static-multiview-event":      {lifecycle.StaticMultiviewEvent, `static-multiview-event aurora-vod/derby-quad "Running"`},
		"storage":                     {lifecycle.Storage, `storage aurora-vod/aurorastore "Running"`},
		"streaming-endpoint":          {lifecycle.StreamingEndpoint, `streaming-endpoint aurora-vod/edge-main "Running" Succeeded`},
		"streaming-locator":           {lifecycle.StreamingLocator, `streaming-locator aurora-vod/ep-0417-pub "Created" Succeeded`},
		"streaming-locator.drm":       {lifecycle.StreamingLocator, `streaming-locator aurora-vod/ep-0417-drm "Created" Succeeded`},
		"transform":                   {lifecycle.Job, ""},
	}
	sameFiles(t, "records", tests)
	for file, tt := range tests {
		row, ok := (&rowReader{}).listRow(listOf(t, tt.kind), value(readFile(t, "records/"+file+".json")))
		if !ok {
			if tt.want != "" {
				t.Errorf("%s is no %s", file, tt.kind)
			}
			continue
		}
		got := []string{row.Key.String()}
		if row.HasState {
			got = append(got, fmt.Sprintf("%q", row.State))
		}
		o := row.Observation()
		row.AddRecord(&o)
		if o.Provisioning != "" {
			got = append(got, o.Provisioning)
		}
		for _, p := range o.Problems {
			got = append(got, p.Message)
		}
		equal(t, file, strings.Join(got, " "), tt.want)
		if o.Life == "" {
			t.Errorf("%s has no life", file)
		}
	}
}

// Only the progress of the output differs, so the two records are one observation.
func TestProgressOfAJobIsNoChange(t *testing.T) {
	read := func(file string) lifecycle.Observation {
		row, _ := (&rowReader{}).listRow(jobList, value(readFile(t, "records/"+file+".json")))
		return row.Observation()
	}
	before, after := read("job.processing"), read("job.processing.progress")
	if !slices.Equal(encode(t, before), encode(t, after)) {
		t.Errorf("read as %+v and %+v", before, after)
	}
}

func TestProjectOfTheFixtures(t *testing.T) {
	p, err := responding(t, "records/project.json", http.StatusOK).Project(t.Context(), Changes, "aurora-vod")
	if err != nil || p.Name != "aurora-vod" || p.ID != "d8f168f4-f39b-5797-a9a7-16f246a1099d" || !p.Active {
		t.Errorf("project %+v, %v", p, err)
	}
}

// Every page of the fixtures is read, with every row; each row is of a kind that the list has.
func TestPagesOfTheFixtures(t *testing.T) {
	tests := map[string]struct {
		kind       lifecycle.Kind
		rows       int
		unreadable int
		more       bool
	}{
		"assets.empty":                {lifecycle.Asset, 0, 0, false},
		"assets.page-1":               {lifecycle.Asset, 2, 0, true},
		"assets.page-last":            {lifecycle.Asset, 1, 0, false},
		"content-key-policies.page-1": {lifecycle.ContentKeyPolicy, 1, 0, true},
		"jobs.by-transform.page-1":    {lifecycle.Job, 1, 0, true},
		"jobs.project-wide.page-1":    {lifecycle.Job, 2, 0, true},
		"jobs.project-wide.page-last": {lifecycle.Job, 1, 0, false},
		"live-channels.page-1":        {lifecycle.LiveChannel, 1, 0, true},
		"live-events.page-1":          {lifecycle.LiveAPIEvent, 1, 0, true},
		"live-outputs.page-1":         {lifecycle.LiveOutput, 1, 0, true},
		"live-search.page-last":       {lifecycle.LiveChannel, 2, 0, false},
		"media-live-events.page-1":    {lifecycle.LiveEvent, 1, 0, true},
		"media-live-events.page-last": {lifecycle.LiveEvent, 1, 0, false},
		"scheduled-operations.page-1": {lifecycle.ScheduledOperation, 1, 0, true},
		"sources.page-1":              {lifecycle.Source, 1, 0, true},
		"storage.page-1":              {lifecycle.Storage, 2, 0, true},
		"streaming-endpoints.page-1":  {lifecycle.StreamingEndpoint, 1, 0, true},
		"streaming-locators.page-1":   {lifecycle.StreamingLocator, 2, 0, true},
		"transforms.page-1":           {lifecycle.Job, 0, 1, true},
	}
	sameFiles(t, "lists", tests)
	for file, tt := range tests {
		l := listOf(t, tt.kind)
		pages, _ := responding(t, "lists/"+file+".json", http.StatusOK).Pages(l, Filter{})
		page, err := pages.Next(t.Context(), Sweeps, l)
		if err != nil || len(page.Rows) != tt.rows || page.Unreadable != tt.unreadable || pages.More() != tt.more {
			t.Errorf("%s: %d rows, %d unreadable, more %v, %v", file, len(page.Rows), page.Unreadable, pages.More(), err)
		}
	}
}

// Every /state of the fixtures is read, the empty state included.
func TestStatesOfTheFixtures(t *testing.T) {
	tests := map[string]string{
		"asset": "Pending", "content-key-policy": "Created", "job": "Processing", "live-channel": "Allocating",
		"live-event": "Running", "live-event.empty": "", "live-output": "Creating", "media-live-event": "Starting",
		"media-live-event.standby": "StandBy", "static-multiview-channel": "Stopped", "static-multiview-event": "UnableToStart",
		"streaming-endpoint": "Scaling", "streaming-endpoint.created": "Created", "streaming-locator": "Created",
	}
	sameFiles(t, "state", tests)
	asset, _ := lifecycle.NewKey(lifecycle.Asset, "aurora-vod", "a")
	for file, want := range tests {
		got, _, err := responding(t, "state/"+file+".json", http.StatusOK).State(t.Context(), Urgent, asset)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", file, got, err, want)
		}
	}
}

// Every error body of the fixtures is MK.IO's own, with its detail and reference.
func TestErrorsOfTheFixtures(t *testing.T) {
	tests := map[string]int{
		"400": 400, "400.already-exists": 400, "401": 401, "403": 403, "404": 404, "404.no-extra-detail": 404, "409": 409,
		"429": 429, "500": 500, "503": 503,
	}
	sameFiles(t, "errors", tests)
	for file, status := range tests {
		raw := readFile(t, "errors/"+file+".json")
		var body struct {
			Error struct{ Code, Detail string }
			Ref   string
		}
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatal(err)
		}
		got := newAPIError(http.MethodGet, "/path", status, nil, raw)
		if !got.Genuine || got.Detail != body.Error.Detail || got.Code != body.Error.Code || body.Ref == "" || !strings.Contains(got.Error(), body.Ref) {
			t.Errorf("%s: %+v", file, got)
		}
	}
}

// The rules and delivery histories of the fixtures are read.
func TestRulesOfTheFixtures(t *testing.T) {
	tests := map[string]func(c *Client) (string, error){
		"rule.get": func(c *Client) (string, error) {
			r, err := c.Rule(t.Context(), "aurora-vod", "bridge-jobs")
			return fmt.Sprint(r.Name, r.SecretHeaders, len(r.Events), r.Enabled), err
		},
		"rules.list": func(c *Client) (string, error) {
			all, err := c.Rules(t.Context(), "aurora-vod")
			return fmt.Sprint(len(all), " rules"), err
		},
		"events.page-1": func(c *Client) (string, error) {
			page, err := c.History("aurora-vod", "bridge-jobs", 0).Next(t.Context(), Urgent)
			var all []string
			for _, d := range page.Deliveries {
				key, _ := d.Key()
				all = append(all, d.Status+" "+key.String())
			}
			return strings.Join(all, ", "), err
		},
		"events.empty": func(c *Client) (string, error) {
			page, err := c.History("aurora-vod", "bridge-jobs", 0).Next(t.Context(), Urgent)
			return fmt.Sprint(len(page.Deliveries), " deliveries"), err
		},
		"rule.put-request": func(*Client) (string, error) {
			spec := RuleSpec{
				Enabled: true, URL: "https://bridge.fixtures.invalid/hooks/mkio/aurora-vod", Headers: map[string]string{"X-Bridge-Rule": "bridge-jobs"},
				QueryParams: map[string]string{"tenant": "aurora"}, Events: []string{TypeJobStarted, TypeJobFinished, TypeStreamingLocatorCreated},
				SecretHeaders: Secrets{"X-Bridge-Secret": "REDACT-ME-shared-secret"},
			}
			var got, want any
			if err := errors.Join(json.Unmarshal(encode(t, spec.json()), &got), json.Unmarshal(readFile(t, "rules/rule.put-request.json"), &want)); err != nil {
				return "", err
			}
			delete(want.(map[string]any)["spec"].(map[string]any)["authentication"].(map[string]any), "queryParams") // empty
			return fmt.Sprint(string(encode(t, got)) == string(encode(t, want))), nil
		},
	}
	want := map[string]string{
		"rule.get":   "bridge-jobs[X-Bridge-Secret] 3 true",
		"rules.list": "2 rules",
		"events.page-1": "Sent job aurora-vod/ladder-hd/ep-0417, Retrying job aurora-vod/ladder-hd/ep-0417, " +
			"Failed streaming-locator aurora-vod/ep-0417-pub, Pending job aurora-vod/ladder-hd/ep-0418",
		"events.empty":     "0 deliveries",
		"rule.put-request": "true",
	}
	sameFiles(t, "rules", tests)
	for file, read := range tests {
		got, err := read(responding(t, "rules/"+file+".json", http.StatusOK))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		equal(t, file, got, want[file])
	}
}

// The rights of a token that reads the media of a project are those that the bridge asks for, and that of its transforms.
func TestRightsOfTheTokenRequest(t *testing.T) {
	var body struct {
		Permissions map[string]map[string]map[string][]string
	}
	if err := json.Unmarshal(readFile(t, "auth/token.create-request.json"), &body); err != nil {
		t.Fatal(err)
	}
	rights := map[string]bool{}
	for _, project := range body.Permissions["core.project"] {
		for resource, verbs := range project {
			for _, verb := range verbs {
				rights[resource+"."+verb] = true
			}
		}
	}
	for _, kind := range []lifecycle.Kind{
		lifecycle.Asset, lifecycle.ContentKeyPolicy, lifecycle.Job, lifecycle.LiveEvent, lifecycle.LiveOutput,
		lifecycle.StreamingEndpoint, lifecycle.StreamingLocator,
	} {
		for _, right := range RightsToPoll(kind) {
			if !rights[right] {
				t.Errorf("%s needs %s, which the token lacks", kind, right)
			}
		}
	}
}
