package broker

import "errors"

// A Setting is a field of [Config] or [EmbeddedConfig] that may be one that cannot be used.
type Setting string

// The settings of [Config], and those of [EmbeddedConfig].
const (
	URL     Setting = "URL"
	Creds   Setting = "Creds"
	NKey    Setting = "NKey"
	TLSCA   Setting = "TLSCA"
	TLSCert Setting = "TLSCert"
	TLSKey  Setting = "TLSKey"

	StoreDir Setting = "StoreDir"
	Listen   Setting = "Listen"
)

// A SettingError is for a setting that cannot be used, whatever the servers say. What it says does not name the setting:
// whoever made the configuration knows its name.
type SettingError struct {
	Setting Setting
	error
}

func (e SettingError) Unwrap() error { return e.error }

// Errors of settings, in a [SettingError].
var (
	ErrNoServer = errors.New("no server is named")
	ErrAddress  = errors.New("an address is not like nats://host:port")
	ErrInUse    = errors.New("in use by another bridge") // the store directory
)
