"""Rows of products as Parquet files by kind and time, and queries of them.

products -> tables (Arrow) -> writer (commits) -> rows/kind=K/date=D/*.parquet -> rows, sql, summaries
"""
