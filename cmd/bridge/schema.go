package main

import (
	"context"
	"fmt"
	"strings"

	"mkio-bridge/schemas"
)

func runSchema(_ context.Context, c *call) error {
	arguments, err := c.parse(c.flags(), 1)
	if err != nil {
		return err
	}
	if len(arguments) == 0 {
		_, err := fmt.Fprintln(c.stdout, strings.Join(schemas.Names(), "\n"))
		return err
	}
	document, err := schemas.Read(schemas.FileName(arguments[0]))
	if err != nil {
		return usageError{fmt.Errorf("unknown schema %q; the schemas are %s", arguments[0], strings.Join(schemas.Names(), ", "))}
	}
	_, err = c.stdout.Write(document)
	return err
}
