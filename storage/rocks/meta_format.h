// What the storage layer keeps in the `meta` column family. Layers above keep their own records there under other prefixes.
//
//   "store/format"                    -> varint version
//   "store/cluster_id"                -> 32 hex digits
//   "store/ceiling"                   -> timestamp, 8 B BE (R1)
//   "keyspace/" incarnation           -> state
//   "frontier/" incarnation           -> timestamp, 8 B BE
//   "protect/" incarnation "/" holder -> timestamp, 8 B BE
//   "collected/" incarnation          -> the last entry of the change index that garbage collection has worked off
//
//   state := 0x01 | varint epoch | varint flags | floor 8 B BE | varint count | count x (after 8 B BE | upto 8 B BE)
//   flags := 1 published, 2 dropping, 4 ingesting
//
// The frontier is a record of its own because it is written with every checkpoint, ten times a second. `newest` is not
// kept: the last entry of the change index is it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/api/keyspace.h"

namespace anabranch {

inline constexpr uint64_t kStoreFormatVersion = 1;

inline constexpr std::string_view kMetaFormatKey = "store/format";
inline constexpr std::string_view kMetaClusterIdKey = "store/cluster_id";
inline constexpr std::string_view kMetaCeilingKey = "store/ceiling";
inline constexpr std::string_view kMetaKeyspacePrefix = "keyspace/";

std::string MetaKeyspaceKey(const IncarnationId& incarnation);
std::string MetaFrontierKey(const IncarnationId& incarnation);
std::string MetaProtectPrefix(const IncarnationId& incarnation);  // ends with '/'
std::string MetaCollectedKey(const IncarnationId& incarnation);

std::string EncodeTimestamp(Timestamp ts);
bool DecodeTimestamp(std::string_view encoded, Timestamp* ts);

std::string EncodeFormatVersion(uint64_t version);
bool DecodeFormatVersion(std::string_view encoded, uint64_t* version);

// The durable fields but the frontier.
std::string EncodeKeyspaceState(const KeyspaceState& state);
bool DecodeKeyspaceState(std::string_view encoded, KeyspaceState* state);

}  // namespace anabranch
