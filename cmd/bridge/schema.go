package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mkio-bridge/schemas"
)

func schemaCommand(c *call) *cobra.Command {
	return &cobra.Command{
		Use:               "schema [NAME]",
		Short:             "print a JSON Schema, or the AsyncAPI or OpenAPI document, e.g. event; without NAME, list them",
		Example:           "  mkio-bridge schema event > event.schema.json\n  mkio-bridge schema openapi > openapi.yaml",
		Args:              atMost(1),
		ValidArgsFunction: onlyFirst(fixed(schemas.Names()...)),
		RunE:              func(_ *cobra.Command, args []string) error { return runSchema(c, args) },
	}
}

func runSchema(c *call, arguments []string) error {
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
