// The nodes of PostgreSQL's parse tree by name, for headers: the classes themselves (sql/parse/tree.h) are slow to compile.
#pragma once

namespace pg_query {

class A_ArrayExpr;
class A_Const;
class A_Expr;
class A_Indirection;
class Alias;
class AlterRoleStmt;
class AlterSeqStmt;
class AlterTableStmt;
class BoolExpr;
class CaseExpr;
class CoalesceExpr;
class CollateClause;
class ColumnDef;
class ColumnRef;
class Constraint;
class CopyStmt;
class CreateRoleStmt;
class CreateSeqStmt;
class CreateStmt;
class DeallocateStmt;
class DefElem;
class DeleteStmt;
class DropRoleStmt;
class ExecuteStmt;
class ExplainStmt;
class FuncCall;
class GrantRoleStmt;
class GrantStmt;
class IndexStmt;
class InsertStmt;
class JoinExpr;
class MinMaxExpr;
class Node;
class OnConflictClause;
class ParamRef;
class ParseResult;
class PrepareStmt;
class RangeFunction;
class RangeSubselect;
class RangeVar;
class RenameStmt;
class RoleSpec;
class RowExpr;
class SQLValueFunction;
class SelectStmt;
class SortBy;
class SubLink;
class TransactionStmt;
class TypeCast;
class TypeName;
class UpdateStmt;
class VariableSetStmt;

}  // namespace pg_query
