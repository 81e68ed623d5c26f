package broker

// Stopped is closed when the server has stopped, which may be after Shutdown returns.
func (e *Embedded) Stopped() <-chan struct{} { return e.stopped }
