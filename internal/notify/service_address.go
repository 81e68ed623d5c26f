package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"strings"
	"unicode"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
	"github.com/nicholas-fedor/shoutrrr/pkg/util/jsonclient"
)

// A serviceAddress is a service URL. Its errors, and those of its methods, do not contain secrets.
type serviceAddress struct {
	*url.URL
	redactor
}

// newServiceAddress parses a service URL, and adds parameters to its query.
func newServiceAddress(text string, params map[string]string) (serviceAddress, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" {
		return serviceAddress{}, errors.New("the address must be a service URL of shoutrrr, like slack://… or smtp://…")
	}
	secrets := newRedactor(append(addressSecrets(u), text)...)
	query := u.Query()
	for name, value := range params {
		query.Set(name, value)
	}
	u.RawQuery = query.Encode()
	a := serviceAddress{u, secrets}
	return a, a.check()
}

// check refuses what shoutrrr would accept, and what does not work here.
func (a serviceAddress) check() error {
	switch a.name() {
	case "logger":
		return errors.New("the service logger sends nothing: choose another")
	case "matrix":
		if a.User.Username() != "" {
			return errors.New("matrix with a user would log in for each message: use an access token, matrix://:TOKEN@host")
		}
	case "ntfy":
		if a.Query().Has("disabletlsverification") {
			return errors.New("disabletlsverification is not supported: add the certificate to the system's")
		}
	}
	return nil
}

// open returns a sender for one message. It makes no connection.
func (a serviceAddress) open() (types.Service, error) {
	sender, err := (&router.ServiceRouter{}).Locate(a.String())
	if err != nil {
		return nil, fmt.Errorf("service URL %s: %s", a.name(), a.text(err.Error()))
	}
	return sender, nil
}

// send sends a message with a sender of its own: senders remember a message's title for the next one (ntfy, Slack).
func (a serviceAddress) send(m Message) (err error) {
	defer func() {
		if r := recover(); r != nil { // a bug in one sender must not end the other rules
			err = &Permanent{fmt.Errorf("%s: the sender panicked: %s", a.name(), a.text(fmt.Sprint(r)))}
		}
	}()
	sender, err := a.open()
	if err != nil {
		return err
	}
	defer limit(sender)()
	text, params := a.compose(m)
	err = sender.Send(text, &params)
	if err == nil {
		return nil
	}
	refused := fmt.Errorf("%s: %s", a.name(), a.text(err.Error()))
	if response, ok := errors.AsType[jsonclient.Error](err); ok && permanent(response.StatusCode) {
		return &Permanent{refused}
	}
	return refused
}

// compose returns a message's text, and the parameters that the service has for the rest.
func (a serviceAddress) compose(m Message) (text string, params types.Params) {
	params = types.Params{} // its own for each message, because senders change it
	title := oneLine(m.Title)
	name := a.name()
	if title != "" {
		if withoutTitle[name] {
			m.Text = strings.TrimSuffix(title+"\n"+m.Text, "\n")
		} else {
			params.SetTitle(encodeTitle(name, title))
		}
	}
	if m.Text == "" {
		m.Text = title // several services refuse an empty text
	}
	a.identify(name, m, params)
	return m.Text, params
}

// withoutTitle are the services of shoutrrr that have no title of a message, or ignore it: it becomes the first line of the
// text.
var withoutTitle = map[string]bool{
	"googlechat": true, "hangouts": true, "pagerduty": true, "rocketchat": true, "signal": true, "wecom": true, "zulip": true,
}

// name returns the service's name: generic of generic+https://…
func (a serviceAddress) name() string {
	name, _, _ := strings.Cut(strings.ToLower(a.Scheme), "+")
	return name
}

// oneLine replaces control characters by spaces: mail and ntfy carry the title in a header, where a line end would start
// another one.
func oneLine(title string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, title))
}

// encodeTitle encodes what mail cannot carry in a header, which shoutrrr leaves to its users.
func encodeTitle(service, title string) string {
	if service == "smtp" {
		return mime.QEncoding.Encode("utf-8", title)
	}
	return title
}

// maxIncidentKey is the longest key of an incident that both PagerDuty and Opsgenie accept.
const maxIncidentKey = 255

// identify sets the key by which incident services recognise an incident, unless the URL sets it: the resource. So a message
// that is sent twice opens no second incident, and a rule with action=resolve closes the one that another rule opened.
func (a serviceAddress) identify(service string, m Message, params types.Params) {
	resource, _ := m.Event.Extensions()["partitionkey"].(string)
	if resource == "" {
		resource = m.Event.ID()
	}
	if len(resource) > maxIncidentKey {
		sum := sha256.Sum256([]byte(resource))
		resource = hex.EncodeToString(sum[:])
	}
	set := func(name, value string) {
		if !a.Query().Has(name) {
			params[name] = value
		}
	}
	switch service {
	case "pagerduty":
		set("dedup_key", resource)
		set("source", m.Event.Source())
	case "opsgenie":
		set("alias", resource)
	}
}
