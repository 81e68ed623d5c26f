package tracing

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// settings are what the bridge itself reads of the environment: whether spans are exported, and the values that an exporter
// would ignore silently if they are invalid. OpenTelemetry's exporters read the rest: paths, headers, compression.
type settings struct {
	endpoint string // scheme, host and port
	grpc     bool
	timeout  time.Duration // of one export
	tls      *tls.Config   // nil without TLS
}

// A settingError is an invalid setting. It does not contain the value, which may be a secret.
type settingError struct{ name, problem, advice string }

func (e *settingError) attributes() []any {
	return []any{slog.String("setting", e.name), slog.String("error", e.problem), slog.String("do", e.advice)}
}

// setting returns the value of an exporter variable and the variable's name: of the variable for traces, else of the one for
// all signals. The value is empty if neither is set.
func setting(suffix string) (name, value string) {
	for _, name = range []string{"OTEL_EXPORTER_OTLP_TRACES_" + suffix, "OTEL_EXPORTER_OTLP_" + suffix} {
		if value = strings.TrimSpace(os.Getenv(name)); value != "" {
			break
		}
	}
	return name, value
}

// readSettings returns nil if the environment configures no collector, or turns traces off.
func readSettings(log *slog.Logger) (*settings, *settingError) {
	name, endpoint := setting("ENDPOINT")
	if endpoint == "" || strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || strings.EqualFold(os.Getenv("OTEL_TRACES_EXPORTER"), "none") {
		return nil, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, &settingError{name, "not an http or https URL", "write it like http://collector:4318"}
	}
	s := &settings{endpoint: u.Scheme + "://" + u.Host, timeout: exportTimeout()}
	switch protocolName, protocol := setting("PROTOCOL"); protocol {
	case "", "http/protobuf", "http/json":
	case "grpc":
		s.grpc = true
	default:
		return nil, &settingError{protocolName, fmt.Sprintf("protocol %q is not supported", protocol), "set it to grpc, http/protobuf or http/json"}
	}
	warnOfCompression(log)
	if u.Scheme == "http" {
		return s, nil
	}
	var invalid *settingError
	s.tls, invalid = readTLS()
	return s, invalid
}

// exportTimeout returns OpenTelemetry's default if the variable is not a number of milliseconds; the exporter logs that.
func exportTimeout() time.Duration {
	if _, value := setting("TIMEOUT"); value != "" {
		if ms, err := strconv.ParseUint(value, 10, 31); err == nil && ms > 0 {
			return time.Duration(ms) * time.Millisecond
		}
	}
	return 10 * time.Second
}

// warnOfCompression logs a compression that the exporters would ignore silently.
func warnOfCompression(log *slog.Logger) {
	if name, value := setting("COMPRESSION"); value != "" && value != "gzip" && value != "none" {
		log.Warn(settingIgnored, (&settingError{name, "neither gzip nor none; traces are not compressed", "set it to one of them"}).attributes()...)
	}
}

// readTLS reads the files of the collector's authority and of the bridge's own certificate, once. The exporters would go on
// without them.
func readTLS() (*tls.Config, *settingError) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if name, file := setting("CERTIFICATE"); file != "" {
		text, err := os.ReadFile(file)
		config.RootCAs = x509.NewCertPool()
		if err == nil && !config.RootCAs.AppendCertsFromPEM(text) {
			err = errors.New("there is no certificate in PEM in " + file)
		}
		if err != nil {
			return nil, &settingError{name, err.Error(), "name a file with the certificate of the collector's authority in PEM, or unset it where that is a public one"}
		}
	}
	name, certificate := setting("CLIENT_CERTIFICATE")
	keyName, key := setting("CLIENT_KEY")
	if certificate == "" && key == "" {
		return config, nil
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, &settingError{name, err.Error(), "name a certificate in PEM there, and the file with its key in " + keyName}
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}
