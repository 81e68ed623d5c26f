package mkiofake

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mkio-bridge/internal/lifecycle"
)

// A Write is a request of another method than GET, with the response that it got.
type Write struct {
	Order   uint64 // among writes and changes; before those that it causes
	Method  string
	Project string
	Path    string // below the project; names are not encoded
	Body    string
	Status  int
}

// Writes returns all writes so far, in order.
func (m *MKIO) Writes() []Write {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.writes)
}

// nextOrder returns the place of the next write or change.
func (m *MKIO) nextOrder() uint64 {
	m.events++
	return m.events
}

// serveRecorded is serve, and records a write.
func (m *MKIO) serveRecorded(c call) response {
	if c.method == http.MethodGet || len(c.segments) == 0 {
		return m.serve(c)
	}
	w := Write{Order: m.nextOrder(), Method: c.method, Project: c.segments[0], Path: strings.Join(c.segments[1:], "/"), Body: string(c.body)}
	a := m.serve(c)
	w.Status = a.status
	m.writes = append(m.writes, w)
	return a
}

// write responds to a request that creates a locator, lists its paths, or starts or stops something.
func (m *MKIO) write(p *project, segments []string, c call) response {
	r, info := m.target(p, segments)
	if info == nil || p.outage {
		return errorResponse(http.StatusNotFound, "There is no such resource.")
	}
	action := ""
	if len(segments) == 4 {
		action = segments[3]
	}
	switch {
	case info.kind == lifecycle.StreamingLocator && c.method == http.MethodPut && action == "":
		return m.putLocator(p, r, segments[2], c.body)
	case c.method != http.MethodPost || action == "":
		return errorResponse(http.StatusMethodNotAllowed, "The simulation does not take this request.")
	case r == nil:
		return errorResponse(http.StatusNotFound, fmt.Sprintf("%s '%s' was not found.", info.label, segments[2]))
	case info.kind == lifecycle.StreamingLocator && action == "listPaths":
		return jsonResponse(http.StatusOK, r.current.paths())
	case info.kind == lifecycle.StreamingEndpoint || info.kind == lifecycle.LiveEvent:
		return m.act(r, action)
	}
	return errorResponse(http.StatusNotFound, "There is no such resource.")
}

// target returns the media resource that a write is about, and what describes its kind; nil where there is none.
func (m *MKIO) target(p *project, segments []string) (*resource, *kindInfo) {
	if len(segments) < 3 || len(segments) > 4 || segments[0] != mediaArea {
		return nil, nil
	}
	i := slices.IndexFunc(kindInfos, func(info *kindInfo) bool {
		return info.area == mediaArea && len(info.collections) == 1 && info.collections[0] == segments[1]
	})
	if i < 0 {
		return nil, nil
	}
	key, err := lifecycle.NewKey(kindInfos[i].kind, p.name, segments[2])
	if err != nil {
		return nil, nil
	}
	return m.resources[key], kindInfos[i]
}

// putLocator creates a locator, or responds to the same PUT again as to an update that changes nothing. MK.IO documents that
// asset and policy cannot be changed, but not the status of the refusal.
func (m *MKIO) putLocator(p *project, r *resource, name string, body []byte) response {
	asset, policy, err := parseLocator(body)
	if err != nil {
		return badRequest(err)
	}
	if r != nil {
		if r.asset != asset || r.policy != policy {
			return errorResponse(http.StatusConflict, fmt.Sprintf("Streaming locator '%s' exists with another asset or policy.", name))
		}
		return jsonResponse(http.StatusOK, r.current.singleJSON(p))
	}
	if key, err := lifecycle.NewKey(lifecycle.Asset, p.name, asset); err != nil || m.resources[key] == nil {
		return errorResponse(http.StatusNotFound, fmt.Sprintf("Asset '%s' was not found.", asset))
	}
	key, err := lifecycle.NewKey(lifecycle.StreamingLocator, p.name, name)
	if err != nil {
		return badRequest(err)
	}
	m.create(key, "Creating")
	r = m.resources[key]
	r.asset, r.policy = asset, policy
	m.settle(r, "Created")
	return jsonResponse(http.StatusCreated, r.current.singleJSON(p))
}

func parseLocator(body []byte) (asset, policy string, err error) {
	var put struct {
		Properties struct {
			AssetName           string `json:"assetName"`
			StreamingPolicyName string `json:"streamingPolicyName"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(body, &put); err != nil {
		return "", "", fmt.Errorf("the body is not valid: %w", err)
	}
	if put.Properties.AssetName == "" || put.Properties.StreamingPolicyName == "" {
		return "", "", errors.New("the properties need 'assetName' and 'streamingPolicyName'")
	}
	return put.Properties.AssetName, put.Properties.StreamingPolicyName, nil
}

// act starts or stops a streaming endpoint or a live event. MK.IO does not document what it responds in another state; a stop
// of a live event that has live outputs was seen to be refused with 400.
func (m *MKIO) act(r *resource, action string) response {
	from, through, to := "Stopped", "Starting", "Running"
	switch action {
	case "start":
	case "stop":
		from, through, to = "Running", "Stopping", "Stopped"
		if len(m.childrenOf(r)) > 0 {
			return errorResponse(http.StatusBadRequest, "The live event has live outputs.")
		}
	default:
		return errorResponse(http.StatusBadRequest, "The operation is not implemented.")
	}
	if r.current.state != from {
		return errorResponse(http.StatusBadRequest, fmt.Sprintf("The operation '%s' is not possible in state %s.", action, r.current.state))
	}
	m.move(r, through)
	m.settle(r, to)
	return jsonResponse(http.StatusOK, []byte("{}"))
}

// settle lets a resource reach a state after the configured time, unless it leaves its current state before.
func (m *MKIO) settle(r *resource, state string) {
	if m.config.Settle < 0 {
		return
	}
	m.tasks.push(task{due: m.clock.steady().Add(m.config.Settle), step: &Step{Do: Move, Key: r.key, From: r.current.state, State: state}})
}

// paths returns the paths of a locator. MK.IO does not document whether a locator that is still Creating has paths: here it has,
// so that a client that takes them for a sign of being ready is found out.
func (v *version) paths() []byte {
	paths := []any{}
	for _, p := range []struct{ protocol, format string }{{"Hls", "m3u8-cmaf"}, {"Dash", "mpd-time-cmaf"}} {
		paths = append(paths, object{
			"streamingProtocol": p.protocol, "encryptionScheme": "NoEncryption",
			"paths": []any{"/" + v.resource.life + "/manifest.ism/manifest(format=" + p.format + ")"},
		})
	}
	return encode(object{"streamingPaths": paths, "downloadPaths": []any{}})
}
