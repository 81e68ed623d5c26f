package broker

import "errors"

// A Setting is a field of [Config] or [EmbeddedConfig] that may be invalid.
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

// A SettingError is for an invalid setting; retrying does not help. Its text does not name the setting: the caller knows the
// name in the configuration.
type SettingError struct {
	Setting Setting
	error
}

func (e SettingError) Unwrap() error { return e.error }

// Errors of settings, in a [SettingError].
var (
	ErrNoServer = errors.New("no server is named")
	ErrAddress  = errors.New("an address does not have the form nats://host:port")
	ErrInUse    = errors.New("in use by another bridge") // the store directory
)
