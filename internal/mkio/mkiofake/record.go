package mkiofake

import (
	"encoding/json"
	"hash/crc32"
	"strings"
	"time"

	"mkio-bridge/internal/lifecycle"
)

type object = map[string]any

// rowJSON returns a version's record as in a list, cached. That of a processing job changes with its progress ([MKIO.advance]).
func (v *version) rowJSON() []byte {
	if v.row == nil {
		v.row = encode(v.record())
	}
	return v.row
}

// singleJSON returns a version's record as in a GET or a delivery.
func (v *version) singleJSON(p *project) []byte {
	row := v.rowJSON()
	var more object
	switch {
	case v.resource.key.Kind == lifecycle.ContentKeyPolicy:
		more = object{"id": v.resource.life, "state": v.state}
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
		panic(err) // cannot fail: strings, numbers and times only
	}
	return raw
}

func (p *project) subscription() object { return object{"id": p.id, "name": p.name} }

// hasMetadata reports whether a record consists of metadata, spec and status instead of properties.
func (v *version) hasMetadata() bool {
	switch v.resource.key.Kind {
	case lifecycle.Storage, lifecycle.Source, lifecycle.Content, lifecycle.Destination:
		return true
	}
	return v.resource.info.area == liveArea
}

func (v *version) record() object {
	switch v.resource.key.Kind {
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
	case lifecycle.Storage:
		return v.storage()
	case lifecycle.Source:
		return v.source()
	case lifecycle.Content:
		return object{"kind": "content", "metadata": v.shortMetadata(), "status": object{"state": v.state}}
	case lifecycle.Destination:
		return v.destination()
	case lifecycle.ScheduledOperation:
		return v.operation()
	}
	return v.flow(false)
}

const bot = "ops.bot@fixtures.invalid"

// armID returns the id of a media resource. It is not a path: names are not encoded.
func (v *version) armID() string {
	return "/subscriptions/" + v.resource.project.organization + "/resourceGroups/default/providers/Microsoft.Media/mediaservices/" +
		v.resource.key.Project + "/" + v.resource.info.relativePath(v.resource.key, func(name string) string { return name })
}

// media returns a media record with its properties.
func (v *version) media(properties object) object {
	typ := "Microsoft.Media/mediaservices/" + strings.Join(v.resource.info.collections, "/")
	record := object{
		"name": v.resource.key.Name(), "id": v.armID(), "type": typ, "properties": properties,
		"systemData": object{
			"internalId": v.resource.life,
			"createdBy":  bot, "createdByType": "User", "createdAt": formatTime(v.resource.created),
			"lastModifiedBy": bot, "lastModifiedByType": "User", "lastModifiedAt": formatTime(v.modified),
		},
	}
	switch v.resource.key.Kind {
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

// id returns another id of this life.
func (v *version) id(what string) string { return idOf(v.resource.life, what) }

// withTimes adds the times that most media properties have.
func (v *version) withTimes(o object) object {
	o["created"], o["lastModified"] = formatTime(v.resource.created), formatTime(v.modified)
	return o
}

// withStates adds state and provisioningState.
func (v *version) withStates(o object) object {
	o["resourceState"], o["provisioningState"] = v.state, v.provisioning
	return o
}

func (v *version) asset() object {
	return v.withTimes(object{
		"assetId": v.id("asset"), "alternateId": "", "description": nil, "container": "asset-" + v.id("container"),
		"storageAccountName": "aurorastore", "storageEncryptionFormat": nil, "encryptionScope": nil,
		"containerDeletionPolicy": "Retain",
	})
}

func (v *version) policy() object {
	return v.withTimes(object{
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
	name := v.resource.key.Name()
	output := object{
		"@odata.type": "#Microsoft.Media.JobOutputAsset", "assetName": name + "-out",
		"label": "BuiltInStandardEncoderPreset_0", "state": v.state, "progress": v.percent,
	}
	if v.state == "Error" {
		output["error"] = v.jobError()
	}
	properties := v.withTimes(object{
		"description": "Episode encode", "priority": "Normal", "state": v.state,
		"input": object{
			"@odata.type": "#Microsoft.Media.JobInputHttp", "baseUri": "https://ingest.fixtures.invalid/drop/",
			"files": []any{name + ".mov?sig=REDACT-ME"},
		},
		"outputs": []any{output}, "correlationData": object{"houseId": "LH-" + name},
	})
	if v.resource.key.Names()[0] == RecordingTransform {
		properties["recording"] = v.recording()
	}
	for _, o := range []object{properties, output} {
		if !v.processingSince.IsZero() {
			o["startTime"] = formatTime(v.processingSince)
		}
		if !v.endedAt.IsZero() {
			o["endTime"] = formatTime(v.endedAt)
		}
	}
	return properties
}

// jobErrors are errors of job outputs, one of each category.
var jobErrors = []struct{ code, category, message, retry string }{
	{"IdentityUnsupported", "Account", "The storage's identity is not supported.", "DoNotRetry"},
	{"ConfigurationUnsupported", "Configuration", "The preset does not fit the input.", "DoNotRetry"},
	{"ContentUnsupported", "Content", "The input holds no decodable video track.", "DoNotRetry"},
	{"DownloadTransientError", "Download", "The input was not read to its end.", "MayRetry"},
	{"ServiceTransientError", "Service", "The encoder was interrupted.", "MayRetry"},
	{"UploadNotAccessible", "Upload", "The output's container cannot be written to.", "DoNotRetry"},
}

// jobError returns the error of a failed job's output, which depends on the job's life.
func (v *version) jobError() object {
	e := jobErrors[int(crc32.ChecksumIEEE([]byte(v.resource.life)))%len(jobErrors)]
	return object{"code": e.code, "category": e.category, "message": e.message, "retry": e.retry}
}

// RecordingTransform is the transform whose jobs record a live event.
const RecordingTransform = "record-clip"

// recording returns the recording of a job. MK.IO does not document how its states go with the job's: this is a guess.
func (v *version) recording() object {
	state, details := "Scheduled", ""
	switch v.state {
	case "Scheduled":
		state = "Waiting"
	case "Processing", "Canceling":
		state = "InProgress"
	case "Finished", "Canceled":
		state = "Completed"
	case "Error":
		state, details = "Error", "The live event stopped before the recording began."
	}
	recording := object{
		"state": state, "details": details,
		"targetStartTime": formatTime(v.resource.created), "targetEndTime": formatTime(v.resource.created.Add(time.Hour)),
		"actualStartTime": nil, "actualEndTime": nil,
	}
	if !v.processingSince.IsZero() {
		recording["actualStartTime"] = formatTime(v.processingSince)
	}
	if !v.endedAt.IsZero() {
		recording["actualEndTime"] = formatTime(v.endedAt)
	}
	return recording
}

// processingHalfway is after how long a processing job is about half done. Its progress grows ever more slowly after that, so that
// it never seems finished, however long the job takes.
const processingHalfway = time.Minute

// advance brings a job's progress up to date: the records of all responses have the current one, while its version and its
// modification time stay.
func (m *MKIO) advance(v *version) {
	if v.resource.key.Kind != lifecycle.Job || v.state != "Processing" {
		return
	}
	elapsed := m.clock.now().Sub(v.processingSince)
	if percent := int(100 * elapsed / (elapsed + processingHalfway)); percent > v.percent {
		v.percent, v.row = percent, nil
	}
}

func (v *version) liveEvent() object {
	name, token := v.resource.key.Name(), v.id("token")
	return v.withStates(v.withTimes(object{
		"useStaticHostname": false, "streamOptions": []any{"Default"},
		"input": object{
			"streamingProtocol": "RTMP", "accessToken": token, "keyFrameIntervalDuration": "PT2S", "timedMetadataEndpoints": []any{},
			"accessControl": object{"ip": object{"allow": []any{object{"name": "truck", "address": "203.0.113.0", "subnetPrefixLength": 24}}}},
			"endpoints": []any{object{
				"url": "rtmp://in-" + v.resource.life + ".northmoor.streaming.fixtures.invalid:1935/" + token, "protocol": "RTMP",
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
	return v.withStates(v.withTimes(object{
		"assetName": v.resource.key.Name() + "-rec", "archiveWindowLength": "PT6H", "manifestName": "index", "description": "",
		"hls": object{"fragmentsPerTsSegment": 1}, "outputSnapTime": 0,
	}))
}

func (v *version) endpoint() object {
	name := v.resource.key.Name()
	return v.withStates(v.withTimes(object{
		"description": "Main origin", "publicName": name, "hostName": "ep-" + name + ".northmoor.streaming.fixtures.invalid",
		"scaleUnits": 0, "sku": object{"name": "Standard", "capacity": 600}, "cdnEnabled": false,
		"customHostNames": []any{}, "maxCacheAge": 86400, "maxManifestCacheAge": 60,
	}))
}

func (v *version) locator() object {
	return v.withStates(object{
		"assetName": v.resource.asset, "streamingLocatorId": v.resource.life,
		"streamingPolicyName": v.resource.policy, "filters": []any{}, "suppressed": false,
	})
}

// shortMetadata returns the metadata of sources, contents and destinations.
func (v *version) shortMetadata() object {
	return object{
		"id": v.resource.life, "name": v.resource.key.Name(), "displayName": v.resource.key.Name(), "labels": object{},
		"created": formatTime(v.resource.created), "updated": formatTime(v.modified),
	}
}

// storage returns the record of a storage. It has a private link unless it is in the empty state, and no active credential
// while its provisioning is Failed.
func (v *version) storage() object {
	person := idOf("person")
	created := v.resource.created
	spec := object{
		"type": "Microsoft.Storage", "url": "https://" + v.resource.key.Name() + ".blob.fixtures.invalid", "region": "northmoor",
		"description": "Masters and renditions",
		"credential": object{ //nolint:gosec // invented
			"sasToken": "?sv=REDACT-ME&sig=REDACT-ME", "signedStart": created.Format(time.RFC3339), "signedExpiry": created.AddDate(1, 0, 0).Format(time.RFC3339),
		},
	}
	status := object{"activeCredentialId": v.id("credential")}
	if lifecycle.ProvisioningFailed(v.provisioning) {
		status["activeCredentialId"] = nil
	}
	if v.state != "" {
		status["privateLinkServiceConnectionStatus"] = v.state
		spec["privateLinkServiceConnection"] = object{
			"requestMessage": "mkio private link for " + v.resource.key.Project, "subscriptionId": v.id("subscription"),
			"resourceGroupName": "aurora-media", "storageAccountName": v.resource.key.Name(),
		}
	}
	return object{
		"kind": "storage",
		"metadata": object{
			"id": v.resource.life, "name": v.resource.key.Name(),
			"created": formatTime(created), "createdBy": person, "createdByEmail": bot,
			"updated": formatTime(v.modified), "updatedBy": person, "updatedByEmail": bot,
		},
		"spec": spec, "status": status,
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
			"state": v.state, "networkDisplayName": "Internet", "shortId": v.resource.life[:8],
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
		"metadata": object{"id": v.resource.life, "name": v.resource.key.Name()},
		"spec": object{
			"type": operationPrefix + ".StartStop", "startTime": v.windowStart().Format(time.RFC3339), "endTime": v.windowEnd().Format(time.RFC3339),
			"correlationData": object{"fixtureRef": v.resource.key.Name()},
		},
		"status": status,
	}
}

// windowStart and windowEnd are the time window of a scheduled operation.
func (v *version) windowStart() time.Time {
	return v.resource.created.Add(time.Hour).Truncate(time.Minute)
}
func (v *version) windowEnd() time.Time { return v.windowStart().Add(150 * time.Minute) }

// desiredState returns the desired state in a Live API record.
func (v *version) desiredState() string {
	switch v.state {
	case "", "Pending", "Allocating", "Allocated", "Stopping", "Stopped", "Deleting":
		return "Stopped"
	}
	return "Running"
}

// flow returns the record of a resource of the Live API.
func (v *version) flow(detailed bool) object {
	name, label := v.resource.key.Name(), v.resource.info.label
	status := object{
		"state": v.state, "siteDisplayName": "Northmoor cloud", "deviceName": "", "deviceDisplayName": "", "shortId": v.resource.life[:8],
		"inputs": []any{object{
			"contentName": "", "contentDisplayName": "", "sourceName": "truck-a", "sourceDisplayName": "Truck A",
			"upstreamFlowName": "", "networkName": "internet", "networkDisplayName": "Internet",
		}},
		"outputs": []any{},
	}
	if detailed {
		status["metrics"] = object{"mk_resource_status": []any{object{"labels": object{"mkio_stage": "resource"}, "value": 1}}}
	}
	if v.state == "UnableToStart" && (detailed || !v.resource.project.shape.NoInfo) {
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
			"id": v.resource.life, "name": name, "displayName": name, "labels": object{"desk": "sport"},
			"created": formatTime(v.resource.created), "createdBy": person, "createdByEmail": bot,
			"updated": formatTime(v.modified), "updatedBy": person, "updatedByEmail": bot,
		},
		"spec": object{
			"state": v.desiredState(), "inputs": []any{object{"sourceName": "truck-a", "transformInput": "encoding/input_1"}},
			"outputs": []any{}, "transform": transform,
		},
		"status": status,
	}
}

func upperFirst(word string) string { return strings.ToUpper(word[:1]) + word[1:] }
