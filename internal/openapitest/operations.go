package openapitest

import (
	"fmt"
	"strings"

	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// An Operation is a request that the document describes.
type Operation struct {
	Method, Path string
	Target       string // the path with the example of each parameter in it
	Tag          string
	Summary      string
	LeastRole    string // who may send it: none, viewer or admin
}

// Operations returns all operations in the order of the document.
func Operations() (all []Operation, err error) {
	d, err := load()
	if err != nil {
		return nil, err
	}
	for path, item := range d.model.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			o := Operation{Method: strings.ToUpper(method), Path: path, Summary: operation.Summary}
			if o.Target, err = target(path, item, operation); err != nil {
				return nil, err
			}
			if len(operation.Tags) == 1 {
				o.Tag = operation.Tags[0]
			}
			if role := operation.Extensions.GetOrZero("x-least-role"); role != nil {
				o.LeastRole = role.Value
			}
			all = append(all, o)
		}
	}
	return all, nil
}

// target returns a path with the examples of its parameters.
func target(path string, item *v3.PathItem, operation *v3.Operation) (string, error) {
	text := path
	for _, p := range append(item.Parameters, operation.Parameters...) {
		if p.In != "path" {
			continue
		}
		if p.Example == nil {
			return "", fmt.Errorf("parameter %s of %s has no example", p.Name, path)
		}
		text = strings.ReplaceAll(text, "{"+p.Name+"}", p.Example.Value)
	}
	if strings.Contains(text, "{") {
		return "", fmt.Errorf("a parameter of %s is not described", path)
	}
	return text, nil
}
