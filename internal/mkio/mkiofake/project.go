package mkiofake

// A ProjectShape is how MK.IO shows a project, and what is in it. The zero value is an active project that is listed, with all
// optional members.
type ProjectShape struct {
	Hidden     bool // the list leaves it out unless show_hidden is set
	Inactive   bool
	NoMetadata bool // the record lacks metadata, which is optional, and so the project's id
	NoInfo     bool // records of the Live API say why a resource failed only with $detailedStatus=true
	NoName     bool // the record lacks both names, although spec.name is required
}

// SetProjectShape sets how a project is shown from now on. Its resources are not affected.
func (m *MKIO) SetProjectShape(project string, shape ProjectShape) {
	m.locked(func() { m.projects[project].shape = shape })
}

// json returns a project's record.
func (p *project) json() []byte {
	person := idOf("person")
	spec := object{
		"name": p.name, "displayName": p.name, "isActive": !p.shape.Inactive, "locationId": idOf("location"),
		"locationName": "northmoor", "locationDisplayName": "Northmoor", "assignedPaymentMethodId": idOf("payment"),
	}
	metadata := object{
		"id": p.id, "name": p.name, "displayName": p.name, "created": formatTime(p.created), "createdBy": person,
		"createdById": person, "createdByEmail": bot, "createdByName": "Ops Bot", "updated": formatTime(p.created),
		"cloud": object{"id": idOf("cloud"), "name": "azure", "displayName": "Azure"},
	}
	record := object{"kind": "project", "metadata": metadata, "spec": spec}
	if p.shape.NoName {
		delete(spec, "name")
		delete(metadata, "name")
	}
	if p.shape.NoMetadata {
		delete(record, "metadata")
	}
	return encode(record)
}
