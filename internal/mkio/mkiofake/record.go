package mkiofake

import (
	"encoding/json"
	"strings"
	"time"

	"mkio-bridge/internal/lifecycle"
)

type object = map[string]any

// json is a version's record as a list shows it. It is made once.
func (v *version) json() []byte {
	if v.row == nil {
		v.row = encode(v.record())
	}
	return v.row
}

// single is a version's record as a GET of it, and a delivery, shows it.
func (v *version) single(p *project) []byte {
	row := v.json()
	var more object
	switch {
	case v.of.key.Kind == lifecycle.ContentKeyPolicy:
		more = object{"id": v.of.life, "state": v.state}
	case v.hasMetadata():
		return row
	default:
		more = object{"operation": "get", "subscription": p.subscription()}
	}
	whole := append([]byte(nil), row[:len(row)-1]...)
	whole = append(append(whole, `,"supplemental":`...), encode(more)...)
	return append(whole, '}')
}

func encode(value any) []byte {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err) // it is made of strings, numbers and times
	}
	return raw
}

func (p *project) subscription() object { return object{"id": p.id, "name": p.name} }

// hasMetadata says whether a record is of metadata, spec and status instead of properties.
func (v *version) hasMetadata() bool {
	switch v.of.key.Kind {
	case lifecycle.Source, lifecycle.Content, lifecycle.Destination:
		return true
	}
	return v.of.place.area == liveArea
}

func (v *version) record() object {
	switch v.of.key.Kind {
	case lifecycle.Asset:
		return v.media(v.asset())
	case lifecycle.ContentKeyPolicy:
		return v.media(v.policy())
	case lifecycle.Job:
		return v.media(v.job())
	case lifecycle.LiveEvent:
		return v.media(v.liveEvent())
	case lifecycle.LiveOutput:
		return v.media(v.liveOutput())
	case lifecycle.StreamingEndpoint:
		return v.media(v.endpoint())
	case lifecycle.StreamingLocator:
		return v.media(v.locator())
	case lifecycle.Source:
		return v.source()
	case lifecycle.Content:
		return object{"kind": "content", "metadata": v.shortMetadata(), "status": object{"state": v.state}}
	case lifecycle.Destination:
		return v.destination()
	case lifecycle.ScheduledOperation:
		return v.operation()
	}
	return v.flow()
}

const bot = "ops.bot@fixtures.invalid"

// armID is the id of a media resource. It is no path: names stand in it as they are.
func (v *version) armID() string {
	return "/subscriptions/" + v.of.in.organization + "/resourceGroups/default/providers/Microsoft.Media/mediaservices/" +
		v.of.key.Project + "/" + v.of.place.below(v.of.key, func(name string) string { return name })
}

// media is the envelope that all media records share.
func (v *version) media(properties object) object {
	typ := "Microsoft.Media/mediaservices/" + strings.Join(v.of.place.collections, "/")
	record := object{
		"name": v.of.key.Name(), "id": v.armID(), "type": typ, "properties": properties,
		"systemData": object{
			"internalId": v.of.life,
			"createdBy":  bot, "createdByType": "User", "createdAt": written(v.of.created),
			"lastModifiedBy": bot, "lastModifiedByType": "User", "lastModifiedAt": written(v.modified),
		},
	}
	switch v.of.key.Kind {
	case lifecycle.Asset:
		record["labels"] = object{}
	case lifecycle.LiveEvent:
		record["type"] = "Microsoft.Media/mediaservices/liveevents"
		record["location"], record["tags"] = "northmoor", object{"series": "regatta"}
	case lifecycle.LiveOutput:
		record["type"] = "Microsoft.Media/mediaservices/liveevents/liveoutputs"
	case lifecycle.StreamingEndpoint:
		record["location"], record["tags"] = "northmoor", object{}
	}
	return record
}

// id is another id of this life.
func (v *version) id(what string) string { return idOf(v.of.life, what) }

// dated adds the times that most media properties have.
func (v *version) dated(o object) object {
	o["created"], o["lastModified"] = written(v.of.created), written(v.modified)
	return o
}

// running adds both states of what runs.
func (v *version) running(o object) object {
	o["resourceState"], o["provisioningState"] = v.state, v.provisioning
	return o
}

func (v *version) asset() object {
	return v.dated(object{
		"assetId": v.id("asset"), "alternateId": "", "description": nil, "container": "asset-" + v.id("container"),
		"storageAccountName": "aurorastore", "storageEncryptionFormat": nil, "encryptionScope": nil,
		"containerDeletionPolicy": "Retain",
	})
}

func (v *version) policy() object {
	return v.dated(object{
		"policyId": v.id("policy"), "description": "Family rating keys",
		"options": []any{object{
			"name": "wv", "policyOptionId": v.id("option"),
			"configuration": object{"@odata.type": "#Microsoft.Media.ContentKeyPolicyWidevineConfiguration", "widevineTemplate": "{}"},
			"restriction": object{
				"@odata.type": "#Microsoft.Media.ContentKeyPolicyTokenRestriction", "issuer": "https://login.fixtures.invalid",
				"audience": "aurora-players", "restrictionTokenType": "Jwt", "requiredClaims": []any{},
				"primaryVerificationKey": object{
					"@odata.type": "#Microsoft.Media.ContentKeyPolicySymmetricTokenKey", "keyValue": "",
				},
				"alternateVerificationKeys": []any{},
			},
		}},
	})
}

func (v *version) job() object {
	name := v.of.key.Name()
	output := object{
		"@odata.type": "#Microsoft.Media.JobOutputAsset", "assetName": name + "-out",
		"label": "BuiltInStandardEncoderPreset_0", "state": v.state, "progress": v.progress(),
	}
	if v.state == "Error" {
		output["error"] = object{
			"code": "ContentUnsupported", "category": "Content",
			"message": "The input holds no decodable video track.", "retry": "DoNotRetry",
		}
	}
	properties := v.dated(object{
		"description": "Episode encode", "priority": "Normal", "state": v.state,
		"input": object{
			"@odata.type": "#Microsoft.Media.JobInputHttp", "baseUri": "https://ingest.fixtures.invalid/drop/",
			"files": []any{name + ".mov?sig=REDACT-ME"},
		},
		"outputs": []any{output}, "correlationData": object{"houseId": "LH-" + name},
	})
	for _, o := range []object{properties, output} {
		if !v.began.IsZero() {
			o["startTime"] = written(v.began)
		}
		if !v.ended.IsZero() {
			o["endTime"] = written(v.ended)
		}
	}
	return properties
}

func (v *version) progress() int {
	switch {
	case v.state == "Finished":
		return 100
	case v.began.IsZero():
		return 0
	}
	return 12
}

func (v *version) liveEvent() object {
	name, token := v.of.key.Name(), v.id("token")
	return v.running(v.dated(object{
		"useStaticHostname": false, "streamOptions": []any{"Default"},
		"input": object{
			"streamingProtocol": "RTMP", "accessToken": token, "keyFrameIntervalDuration": "PT2S", "timedMetadataEndpoints": []any{},
			"accessControl": object{"ip": object{"allow": []any{object{"name": "truck", "address": "203.0.113.0", "subnetPrefixLength": 24}}}},
			"endpoints": []any{object{
				"url": "rtmp://in-" + v.of.life + ".northmoor.streaming.fixtures.invalid:1935/" + token, "protocol": "RTMP",
			}},
		},
		"encoding":                object{"encodingType": "PassthroughStandard", "presetName": "", "keyFrameInterval": "PT2S", "stretchMode": "AutoSize"},
		"crossSiteAccessPolicies": object{"clientAccessPolicy": nil, "crossDomainPolicy": nil},
		"preview": object{
			"accessControl": object{"ip": object{"allow": []any{}}}, "streamingPolicyName": "Predefined_ClearStreamingOnly",
			"previewLocator": v.id("preview"),
			"endpoints": []any{object{
				"url":      "https://" + name + "-preview.northmoor.streaming.fixtures.invalid/" + v.id("preview") + "/manifest.mpd",
				"protocol": "FragmentedMP4",
			}},
		},
	}))
}

func (v *version) liveOutput() object {
	return v.running(v.dated(object{
		"assetName": v.of.key.Name() + "-rec", "archiveWindowLength": "PT6H", "manifestName": "index", "description": "",
		"hls": object{"fragmentsPerTsSegment": 1}, "outputSnapTime": 0,
	}))
}

func (v *version) endpoint() object {
	name := v.of.key.Name()
	return v.running(v.dated(object{
		"description": "Main origin", "publicName": name, "hostName": "ep-" + name + ".northmoor.streaming.fixtures.invalid",
		"scaleUnits": 0, "sku": object{"name": "Standard", "capacity": 600}, "cdnEnabled": false,
		"customHostNames": []any{}, "maxCacheAge": 86400, "maxManifestCacheAge": 60,
	}))
}

func (v *version) locator() object {
	return v.running(object{
		"assetName": v.of.key.Name() + "-out", "streamingLocatorId": v.of.life,
		"streamingPolicyName": "Predefined_ClearStreamingOnly", "filters": []any{}, "suppressed": false,
	})
}

// shortMetadata is what sources and their like have.
func (v *version) shortMetadata() object {
	return object{
		"id": v.of.life, "name": v.of.key.Name(), "displayName": v.of.key.Name(), "labels": object{},
		"created": written(v.of.created), "updated": written(v.modified),
	}
}

func (v *version) source() object {
	return object{
		"kind": "source", "metadata": v.shortMetadata(),
		"spec": object{"contentName": nil, "networkName": "internet", "transport": object{
			"type": "SRTListener", "port": 5010, "latency": 0.5, "maxBitrate": 30000000, "encryptionStandard": "AES128",
			"passPhrase": "REDACT-ME", "allowList": []any{"203.0.113.9"}, "ipResource": object{"type": "External"},
		}},
		"status": object{
			"state": v.state, "networkDisplayName": "Internet", "shortId": v.of.life[:8],
			"transport": object{"urls": []any{"srt://198.51.100.20:5010"}},
		},
	}
}

func (v *version) destination() object {
	return object{
		"kind": "destination", "metadata": v.shortMetadata(),
		"spec": object{"networkName": "internet", "transport": object{
			"type": "RTMPPushOutput", "url": "rtmp://playout.fixtures.invalid/live", "streamKey": "REDACT-ME",
		}},
		"status": object{"state": v.state, "networkDisplayName": "Internet", "transport": object{"urls": []any{}}},
	}
}

func (v *version) operation() object {
	status := object{"state": v.state, "errors": []any{}}
	if v.state == "Errored" {
		status["errors"] = []any{"The live event could not be started."}
	}
	return object{
		"metadata": object{"id": v.of.life, "name": v.of.key.Name()},
		"spec": object{
			"type": operationPrefix + ".StartStop", "startTime": v.starts().Format(time.RFC3339), "endTime": v.ends().Format(time.RFC3339),
			"correlationData": object{"fixtureRef": v.of.key.Name()},
		},
		"status": status,
	}
}

// starts and ends are the window of a scheduled operation.
func (v *version) starts() time.Time { return v.of.created.Add(time.Hour).Truncate(time.Minute) }
func (v *version) ends() time.Time   { return v.starts().Add(150 * time.Minute) }

// wanted is the state that a resource of the Live API is asked to be in.
func (v *version) wanted() string {
	switch v.state {
	case "", "Pending", "Allocating", "Allocated", "Stopping", "Stopped", "Deleting":
		return "Stopped"
	}
	return "Running"
}

// flow is a resource of the Live API.
func (v *version) flow() object {
	name, label := v.of.key.Name(), v.of.place.label
	status := object{
		"state": v.state, "siteDisplayName": "Northmoor cloud", "deviceName": "", "deviceDisplayName": "", "shortId": v.of.life[:8],
		"inputs": []any{object{
			"contentName": "", "contentDisplayName": "", "sourceName": "truck-a", "sourceDisplayName": "Truck A",
			"upstreamFlowName": "", "networkName": "internet", "networkDisplayName": "Internet",
		}},
		"outputs": []any{},
	}
	if v.state == "UnableToStart" {
		status["info"] = "The template input does not match the configured inputs."
	}
	transform := object{
		"type": upperFirst(label), "assetName": name + "-rec", "archiveWindowLength": "PT4H",
		"encodingLive": object{"configRef": object{"name": "house-1080", "version": "latest"}},
	}
	if strings.HasPrefix(label, "static") {
		transform["multiviewComposing"] = object{"configRef": object{"name": "wall-4up", "version": "3"}}
	}
	person := idOf("person")
	return object{
		"kind": label,
		"metadata": object{
			"id": v.of.life, "name": name, "displayName": name, "labels": object{"desk": "sport"},
			"created": written(v.of.created), "createdBy": person, "createdByEmail": bot,
			"updated": written(v.modified), "updatedBy": person, "updatedByEmail": bot,
		},
		"spec": object{
			"state": v.wanted(), "inputs": []any{object{"sourceName": "truck-a", "transformInput": "encoding/input_1"}},
			"outputs": []any{}, "transform": transform,
		},
		"status": status,
	}
}

func upperFirst(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// json is a project's record.
func (p *project) json() []byte {
	person := idOf("person")
	return encode(object{
		"kind": "project",
		"metadata": object{
			"id": p.id, "name": p.name, "displayName": p.name, "created": written(p.created), "createdBy": person,
			"createdById": person, "createdByEmail": bot, "createdByName": "Ops Bot", "updated": written(p.created),
			"cloud": object{"id": idOf("cloud"), "name": "azure", "displayName": "Azure"},
		},
		"spec": object{
			"name": p.name, "displayName": p.name, "isActive": true, "locationId": idOf("location"),
			"locationName": "northmoor", "locationDisplayName": "Northmoor", "assignedPaymentMethodId": idOf("payment"),
		},
	})
}
