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

// Settings say whether spans are exported, and how, as the specification of OpenTelemetry's exporter for OTLP has it.
type settings struct {
	url     string
	to      string // without credentials
	header  http.Header
	timeout time.Duration // of one export, with all its attempts
	gzip    bool
	tls     *tls.Config
}

// A misuse is a setting that cannot be used. Its value may be a secret, and is not told.
type misuse struct{ name, what, do string }

func (m *misuse) attributes() []any {
	return []any{slog.String("setting", m.name), slog.String("error", m.what), slog.String("do", m.do)}
}

// setting is the value of a variable of the exporter, and the name of the variable: of the one for traces, else of the
// one for all signals. The value is empty where neither says anything.
func setting(what string) (name, value string) {
	for _, name = range []string{"OTEL_EXPORTER_OTLP_TRACES_" + what, "OTEL_EXPORTER_OTLP_" + what} {
		if value = strings.TrimSpace(os.Getenv(name)); value != "" {
			break
		}
	}
	return name, value
}

// fromEnvironment reads the settings; nil where no collector is named. What only makes it export otherwise is warned of
// and not used; a misuse is what it cannot do without.
func fromEnvironment(log *slog.Logger) (*settings, *misuse) {
	name, endpoint := setting("ENDPOINT")
	if endpoint == "" || strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || strings.EqualFold(os.Getenv("OTEL_TRACES_EXPORTER"), "none") {
		return nil, nil
	}
	if by, protocol := setting("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return nil, &misuse{by, fmt.Sprintf("traces are exported over http/protobuf alone, and not over %q", protocol), "set it to http/protobuf, and name the collector's port for HTTP, 4318 as a rule, in " + name}
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, &misuse{name, "it is no http or https address", "write it as in http://collector:4318"}
	}
	s := &settings{to: u.Scheme + "://" + u.Host, timeout: timeout(log), header: headers(log), gzip: compressed(log)}
	if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
		u = u.JoinPath("v1/traces")
	}
	s.url = u.String()
	if u.Scheme == "http" {
		return s, nil
	}
	var wrong *misuse
	s.tls, wrong = tlsConfig()
	return s, wrong
}

const notUsed = "a setting of traces is not used"

// timeout is ten seconds unless it is said.
func timeout(log *slog.Logger) time.Duration {
	name, value := setting("TIMEOUT")
	if value == "" {
		return 10 * time.Second
	}
	ms, err := strconv.ParseUint(value, 10, 31)
	if err != nil || ms == 0 {
		log.Warn(notUsed, (&misuse{name, "it is no number of milliseconds above 0; it is 10000 now", "write it as in 10000"}).attributes()...)
		return 10 * time.Second
	}
	return time.Duration(ms) * time.Millisecond
}

func compressed(log *slog.Logger) bool {
	name, value := setting("COMPRESSION")
	if value != "" && value != "gzip" && value != "none" {
		log.Warn(notUsed, (&misuse{name, "it is neither gzip nor none; it is none now", "set it to one of them"}).attributes()...)
	}
	return value == "gzip"
}

// headers are written as name=value,name=value, with what is special in a value as in an address.
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
			log.Warn(notUsed, (&misuse{name, fmt.Sprintf("header %d is not of the form name=value; the others are sent", i+1), "write a comma or percent sign in a value as %2C or %25"}).attributes()...)
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

// tlsConfig reads the files of the collector's authority and of the bridge's own certificate, once.
func tlsConfig() (*tls.Config, *misuse) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if name, file := setting("CERTIFICATE"); file != "" {
		text, err := os.ReadFile(file)
		config.RootCAs = x509.NewCertPool()
		if err == nil && !config.RootCAs.AppendCertsFromPEM(text) {
			err = errors.New("there is no certificate in PEM in " + file)
		}
		if err != nil {
			return nil, &misuse{name, err.Error(), "name a file with the certificate of the collector's authority in PEM, or unset it where that is a public one"}
		}
	}
	name, certificate := setting("CLIENT_CERTIFICATE")
	keyName, key := setting("CLIENT_KEY")
	if certificate == "" && key == "" {
		return config, nil
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, &misuse{name, err.Error(), "name a certificate in PEM there, and the file with its key in " + keyName}
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}
