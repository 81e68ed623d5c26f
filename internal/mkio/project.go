package mkio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// A Project is a project that the token can see.
type Project struct {
	Name   string // "": the record has none
	ID     string // "": the record has none
	Active bool
	AsOf   AsOf // of the response that showed it
}

// Projects lists all projects that the token can see, hidden ones included where MK.IO lists them. Those returned with an error
// exist; others may be missing.
func (c *Client) Projects(ctx context.Context) ([]Project, error) {
	if c.noHidden.Load() {
		return c.listProjects(ctx, nil)
	}
	// MK.IO documents the parameter, but not its values.
	all, err := c.listProjects(ctx, url.Values{"show_hidden": {"true"}})
	if StatusOf(err) == http.StatusBadRequest {
		if all, err = c.listProjects(ctx, nil); err == nil {
			c.noHidden.Store(true)
		}
	}
	return all, err
}

func (c *Client) listProjects(ctx context.Context, query url.Values) ([]Project, error) {
	var all []Project
	pages := c.pages("", "/api/v1/projects", query)
	for pages.More() {
		items, a, err := pages.next(ctx, Changes)
		if err != nil {
			return all, err
		}
		for item := range items.elements() {
			all = append(all, projectOf(item, a.asOf))
		}
	}
	return all, nil
}

// ActiveProjects returns the names of the active projects.
func ActiveProjects(projects []Project) []string {
	var active []string
	for _, p := range projects {
		if p.Active && p.Name != "" {
			active = append(active, p.Name)
		}
	}
	return active
}

// ErrNoActiveProject is returned for a token that sees no active project.
var ErrNoActiveProject = errors.New("the token can see no active project")

// ActiveProjectNames returns the names of all active projects that the token can see. Those returned with an error are known
// from the pages before it; no active project at all is an error too.
func (c *Client) ActiveProjectNames(ctx context.Context) ([]string, error) {
	all, err := c.Projects(ctx)
	active := ActiveProjects(all)
	switch {
	case err != nil:
		return active, fmt.Errorf("list projects: %w", err)
	case len(active) == 0:
		return nil, ErrNoActiveProject
	}
	return active, nil
}

// Project reads one project.
func (c *Client) Project(ctx context.Context, class Class, name string) (Project, error) {
	v, a, err := c.getObject(ctx, class, name, "/api/v1/projects/"+url.PathEscape(name), nil)
	return projectOf(v, a.asOf), err
}

// projectOf reads a project's record. Its name is spec.name, which MK.IO requires; metadata, and a name in it, are optional.
func projectOf(v value, at AsOf) Project {
	top := v.object()
	p := Project{Active: true, AsOf: at}
	spec, metadata := top.at("spec").object(), top.at("metadata").object()
	if p.Name, _ = spec.text("name"); p.Name == "" {
		p.Name, _ = metadata.text("name")
	}
	p.ID, _ = metadata.text("id")
	var active *bool
	if json.Unmarshal(spec.at("isActive"), &active) == nil && active != nil {
		p.Active = *active
	}
	return p
}
