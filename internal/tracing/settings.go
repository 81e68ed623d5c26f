package tracing

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// settings of an export, as the specification of OpenTelemetry's OTLP exporter defines them.
type settings struct {
	url      string
	endpoint string // without credentials
	header   http.Header
	timeout  time.Duration // of one export, including retries
	gzip     bool
	tls      *tls.Config
}

// A settingError is an invalid setting. It does not contain the value, which may be a secret.
type settingError struct{ name, problem, advice string }

func (m *settingError) attributes() []any {
	return []any{slog.String("setting", m.name), slog.String("error", m.problem), slog.String("do", m.advice)}
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

// readSettings reads the settings; nil if no collector is configured. An invalid optional setting is logged and ignored; a
// settingError is returned for a required one.
func readSettings(log *slog.Logger) (*settings, *settingError) {
	name, endpoint := setting("ENDPOINT")
	if endpoint == "" || strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || strings.EqualFold(os.Getenv("OTEL_TRACES_EXPORTER"), "none") {
		return nil, nil
	}
	if protocolName, protocol := setting("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return nil, &settingError{protocolName, fmt.Sprintf("protocol %q is not supported", protocol), "set it to http/protobuf, and use the collector's HTTP port, usually 4318, in " + name}
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, &settingError{name, "not an http or https URL", "write it like http://collector:4318"}
	}
	s := &settings{endpoint: u.Scheme + "://" + u.Host, timeout: timeout(log), header: headers(log), gzip: compression(log)}
	if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
		u = u.JoinPath("v1/traces")
	}
	s.url = u.String()
	if u.Scheme == "http" {
		return s, nil
	}
	var wrong *settingError
	s.tls, wrong = tlsConfig()
	return s, wrong
}

const settingIgnored = "trace setting ignored"

// timeout returns the timeout of an export; 10 s by default.
func timeout(log *slog.Logger) time.Duration {
	name, value := setting("TIMEOUT")
	if value == "" {
		return 10 * time.Second
	}
	ms, err := strconv.ParseUint(value, 10, 31)
	if err != nil || ms == 0 {
		log.Warn(settingIgnored, (&settingError{name, "not a positive number of milliseconds; using 10000", "write it like 10000"}).attributes()...)
		return 10 * time.Second
	}
	return time.Duration(ms) * time.Millisecond
}

func compression(log *slog.Logger) bool {
	name, value := setting("COMPRESSION")
	if value != "" && value != "gzip" && value != "none" {
		log.Warn(settingIgnored, (&settingError{name, "neither gzip nor none; using none", "set it to gzip or none"}).attributes()...)
	}
	return value == "gzip"
}

// headers parses name=value,name=value, with percent-encoded values.
func headers(log *slog.Logger) http.Header {
	found := http.Header{}
	name, all := setting("HEADERS")
	for i, one := range strings.Split(all, ",") {
		if strings.TrimSpace(one) == "" {
			continue
		}
		key, value, _ := strings.Cut(one, "=")
		key = strings.TrimSpace(key)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if err != nil || !strings.Contains(one, "=") || !isToken(key) || strings.ContainsFunc(value, unicode.IsControl) {
			log.Warn(settingIgnored, (&settingError{name, fmt.Sprintf("header %d is not name=value; sending the others", i+1), "write a comma or percent sign in a value as %2C or %25"}).attributes()...)
			continue
		}
		found.Set(key, value)
	}
	return found
}

func isToken(s string) bool {
	const marks = "!#$%&'*+-.^_`|~"
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(marks, r)
	})
}

// tlsConfig reads the collector's CA certificates and the bridge's own certificate, once.
func tlsConfig() (*tls.Config, *settingError) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if name, file := setting("CERTIFICATE"); file != "" {
		text, err := os.ReadFile(file)
		config.RootCAs = x509.NewCertPool()
		if err == nil && !config.RootCAs.AppendCertsFromPEM(text) {
			err = errors.New("no PEM certificate in " + file)
		}
		if err != nil {
			return nil, &settingError{name, err.Error(), "name a PEM file with the collector's CA certificate, or unset it for a public CA"}
		}
	}
	name, certificate := setting("CLIENT_CERTIFICATE")
	keyName, key := setting("CLIENT_KEY")
	if certificate == "" && key == "" {
		return config, nil
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, &settingError{name, err.Error(), "name a PEM certificate file here, and its key file in " + keyName}
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}
