"""What was measured when: product rows as Parquet by kind and time, and how they are asked for.

names -> tables (products to Arrow) -> writer (commits) -> rows/kind=K/date=D/*.parquet -> reader, sql, summaries
"""
