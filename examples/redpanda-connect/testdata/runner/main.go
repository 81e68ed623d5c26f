// Runner is a Redpanda Connect with only the components that notify.yaml uses, for the test that runs it. The engine is the same;
// the full program has hundreds of components and takes far longer to build.
package main

import (
	"context"

	"github.com/redpanda-data/benthos/v4/public/service"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	_ "github.com/redpanda-data/connect/v4/public/components/nats"
)

func main() { service.RunCLI(context.Background()) }
