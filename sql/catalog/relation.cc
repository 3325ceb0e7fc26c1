#include "sql/catalog/relation.h"

#include <algorithm>

#include "base/check.h"
#include "base/status.h"
#include "sql/catalog/value.h"
#include "sql/stored/sequence.h"
#include "sql/stored/session_context.h"
#include "sql/value/type_name.h"

namespace anabranch {
namespace {

// Of views, which have none in PostgreSQL that a client could know.
constexpr int64_t kFirstViewOid = 12000;
constexpr int64_t kRootOid = 10;  // PostgreSQL's first superuser
constexpr int64_t kAdminOid = 16383;

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// Takes what is before `separator`, and it.
std::string_view TakePart(std::string_view* text, char separator) {
  const size_t end = std::min(text->find(separator), text->size());
  const std::string_view part = Trimmed(text->substr(0, end));
  *text = Trimmed(text->substr(std::min(end + 1, text->size())));
  return part;
}

// Of the kind char, between quotes if it is empty or a blank. Of regproc, that there is none.
Datum Constant(SqlType type, std::string_view text) {
  if (text.size() >= 2 && text.front() == '\'') return std::string(text.substr(1, text.size() - 2));
  if (IsObjectName(type) && text == "-") return ObjectName{};
  absl::StatusOr<Datum> value = FromText(type, text);
  CHECK(value.ok(), "a constant of a catalog column does not parse");
  return *std::move(value);
}

CatalogRelation MakeRelation(std::string_view schema, const CatalogDefinition& definition) {
  CatalogRelation relation{.schema = std::string(schema),
                           .name = std::string(definition.name),
                           .oid = definition.oid,
                           .kind = definition.oid == 0 ? 'v' : 'r',
                           .columns = {},
                           .constants = {},
                           .make = definition.make};
  for (std::string_view columns = definition.columns; !columns.empty();) {
    std::string_view constant = TakePart(&columns, ',');
    std::string_view type_name = TakePart(&constant, '=');
    const std::string_view name = TakePart(&type_name, ' ');
    const SqlType type = CatalogTypeNamed(type_name);
    relation.columns.push_back({.name = std::string(name), .type = type});
    relation.constants.push_back(constant.empty() ? Datum(Null()) : Constant(type, constant));
  }
  return relation;
}

std::vector<CatalogRelation> AllRelations() {
  std::vector<CatalogRelation> all;
  const auto add = [&](std::string_view schema, std::span<const CatalogDefinition> family) {
    for (const CatalogDefinition& definition : family) all.push_back(MakeRelation(schema, definition));
  };
  add("pg_catalog", ClassCatalogs());
  add("pg_catalog", TypeCatalogs());
  add("pg_catalog", RoleCatalogs());
  add("pg_catalog", DatabaseCatalogs());
  add("pg_catalog", ActivityCatalogs());
  add("pg_catalog", EmptyCatalogs());
  add("information_schema", InformationSchema());
  add("crdb_internal", ShowCatalogs());
  int64_t next = kFirstViewOid;
  for (CatalogRelation& relation : all) {
    if (relation.oid == 0) relation.oid = next++;
  }
  return all;
}

}  // namespace

int64_t UserOid(const User& user) {
  if (user.name == kRootUser) return kRootOid;
  if (user.name == kAdminRole) return kAdminOid;
  return CatalogOid(user.id);
}

const User* CatalogSnapshot::FindUser(std::string_view name) const {
  const auto found = std::find_if(users.begin(), users.end(), [&](const UserRef& known) { return known->name == name; });
  return found == users.end() ? nullptr : found->get();
}

const User* CatalogSnapshot::FindUser(int64_t oid) const {
  const auto found = std::find_if(users.begin(), users.end(), [&](const UserRef& known) { return UserOid(*known) == oid; });
  return found == users.end() ? nullptr : found->get();
}

int64_t CatalogSnapshot::OwnerOid(const std::string& owner) const {
  const User* known = FindUser(owner);
  return known == nullptr ? 0 : UserOid(*known);
}

CatalogRows& CatalogRows::Add() {
  rows_.push_back(relation_.constants);
  next_ = 0;
  return *this;
}

CatalogRows& CatalogRows::Set(std::string_view column, Datum value) {
  const size_t count = relation_.columns.size();
  for (size_t i = 0; i < count; ++i) {
    const size_t position = (next_ + i) % count;
    if (relation_.columns[position].name != column) continue;
    rows_.back()[position] = std::move(value);
    next_ = position + 1;
    return *this;
  }
  CHECK(false, "a catalog relation without the column that is set");
  return *this;
}

std::span<const CatalogRelation> CatalogRelations() {
  static const std::vector<CatalogRelation> kAll = AllRelations();
  return kAll;
}

const CatalogRelation* FindCatalogRelation(std::string_view schema, std::string_view name) {
  static const auto kByName = [] {
    std::map<std::pair<std::string_view, std::string_view>, const CatalogRelation*> by_name;
    for (const CatalogRelation& relation : CatalogRelations()) by_name[{relation.schema, relation.name}] = &relation;
    return by_name;
  }();
  const auto found = kByName.find({schema.empty() ? "pg_catalog" : schema, name});
  return found == kByName.end() ? nullptr : found->second;
}

void Catalog::BeginStatement(Transaction* transaction) {
  transaction_ = transaction;
  snapshot_ = nullptr;
  if (!rows_.empty()) rows_.clear();
}

absl::StatusOr<std::shared_ptr<const CatalogSnapshot>> Catalog::Snapshot() {
  if (snapshot_) return snapshot_;
  auto snapshot = std::make_shared<CatalogSnapshot>();
  snapshot->session = session_;
  snapshot->settings = settings_;
  RETURN_IF_ERROR(ReadDescriptors(*transaction_, &snapshot->tables, &snapshot->sequences));
  ASSIGN_OR_RETURN(snapshot->users, ReadUsers(*transaction_));
  SequenceBlocks none_given_here;
  SequenceBlocks* const blocks =
      session_->sequences == nullptr || session_->transaction.follows ? &none_given_here : session_->sequences;
  for (const SequenceRef& sequence : snapshot->sequences) {
    ASSIGN_OR_RETURN(const SequenceState state, ReadSequenceState(*transaction_, *sequence));
    const std::optional<int64_t> last = blocks->LastGiven(session_->transaction, *sequence, state);
    if (last) snapshot->last_values[sequence->oid] = *last;
  }
  snapshot_ = std::move(snapshot);
  return snapshot_;
}

absl::StatusOr<std::shared_ptr<const std::vector<Row>>> Catalog::Rows(const CatalogRelation& relation) {
  std::shared_ptr<const std::vector<Row>>& rows = rows_[&relation];
  if (rows) return rows;
  CatalogRows made(relation);
  if (relation.make != nullptr) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const CatalogSnapshot> snapshot, Snapshot());
    relation.make(*snapshot, &made);
  }
  rows = std::make_shared<const std::vector<Row>>(made.Take());
  return rows;
}

}  // namespace anabranch
