/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Attribute keys, by OpenTelemetry's semantic conventions (stable ones) and spantap's own.
 * One row is one key: ST_KEYS(X) with X(identifier, "name").
 */
#ifndef SPANTAP_KEYS_H
#define SPANTAP_KEYS_H

#include "spantap/span.h"

#define ST_KEYS(X)                                                                                 \
	/* spans: HTTP, network, URL */                                                            \
	X(http_request_method, "http.request.method")                                              \
	X(http_request_method_original, "http.request.method_original")                            \
	X(http_response_status_code, "http.response.status_code")                                  \
	X(http_request_body_size, "http.request.body.size")                                        \
	X(http_response_body_size, "http.response.body.size")                                      \
	X(http_request_resend_count, "http.request.resend_count")                                  \
	X(http_route, "http.route")                                                                \
	X(url_scheme, "url.scheme")                                                                \
	X(url_path, "url.path")                                                                    \
	X(url_query, "url.query")                                                                  \
	X(url_full, "url.full")                                                                    \
	X(server_address, "server.address")                                                        \
	X(server_port, "server.port")                                                              \
	X(client_address, "client.address")                                                        \
	X(client_port, "client.port")                                                              \
	X(network_peer_address, "network.peer.address")                                            \
	X(network_peer_port, "network.peer.port")                                                  \
	X(network_local_address, "network.local.address")                                          \
	X(network_local_port, "network.local.port")                                                \
	X(network_protocol_name, "network.protocol.name")                                          \
	X(network_protocol_version, "network.protocol.version")                                    \
	X(network_transport, "network.transport")                                                  \
	X(network_type, "network.type")                                                            \
	X(user_agent_original, "user_agent.original")                                              \
	X(error_type, "error.type")                                                                \
	X(thread_id, "thread.id")                                                                  \
	X(spantap_route, "spantap.route")                                                          \
	X(spantap_incomplete, "spantap.incomplete")                                                \
	X(spantap_parent_evidence, "spantap.parent.evidence")                                      \
	/* resources */                                                                            \
	X(service_name, "service.name")                                                            \
	X(service_namespace, "service.namespace")                                                  \
	X(service_version, "service.version")                                                      \
	X(service_instance_id, "service.instance.id")                                              \
	X(deployment_environment_name, "deployment.environment.name")                              \
	X(process_pid, "process.pid")                                                              \
	X(process_parent_pid, "process.parent_pid")                                                \
	X(process_executable_name, "process.executable.name")                                      \
	X(process_executable_path, "process.executable.path")                                      \
	X(process_command, "process.command")                                                      \
	X(process_owner, "process.owner")                                                          \
	X(process_creation_time, "process.creation.time")                                          \
	X(process_runtime_name, "process.runtime.name")                                            \
	X(process_runtime_version, "process.runtime.version")                                      \
	X(host_name, "host.name")                                                                  \
	X(host_id, "host.id")                                                                      \
	X(host_arch, "host.arch")                                                                  \
	X(os_type, "os.type")                                                                      \
	X(os_description, "os.description")                                                        \
	X(os_name, "os.name")                                                                      \
	X(os_version, "os.version")                                                                \
	X(container_id, "container.id")                                                            \
	X(telemetry_sdk_name, "telemetry.sdk.name")                                                \
	X(telemetry_sdk_language, "telemetry.sdk.language")                                        \
	X(telemetry_sdk_version, "telemetry.sdk.version")                                          \
	X(telemetry_distro_name, "telemetry.distro.name")                                          \
	X(telemetry_distro_version, "telemetry.distro.version")

#define ST_KEY_ID(id, name) ST_K_##id,
enum st_key_id { ST_KEYS(ST_KEY_ID) ST_KEY_FIXED_CNT };
#undef ST_KEY_ID

/* At most this many keys, those made at start included. */
#define ST_KEY_MAX 256

extern const struct st_key st_keys[ST_KEY_FIXED_CNT];
#define ST_KEY(id) (&st_keys[ST_K_##id])

/*
 * The key of that name: a fixed one, or one made for good (the name is copied). For start-up
 * only, from one thread.
 * Returns NULL when ST_KEY_MAX keys exist.
 */
const struct st_key *st_key__intern(struct st_str name);

/* The key with that index, or NULL. */
const struct st_key *st_key__by_index(uint16_t index);

/* How many there are now; indices are below it. */
uint16_t st_key__cnt(void);

#endif
